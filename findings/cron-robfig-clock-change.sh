#!/usr/bin/env bash
# robfig/cron v3.0.1 (Go; Temporal's server 1.x takes its `cron_schedule` from it) leaves a daily job at 02:30 out
# in the night in which clocks go forward, and runs it twice when they go back. Debian's cron, and cronsim in
# Python, run it once in both nights. A day of month `*/2` together with a weekday means either of the two here.
# Needs Go. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'GO'
module cron
go 1.21
require github.com/robfig/cron/v3 v3.0.1
GO
cat > main.go <<'GO'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

func times(title, expression string, now time.Time) {
	schedule, err := cron.ParseStandard(expression)
	if err != nil {
		panic(err)
	}
	fmt.Print(title, ":")
	for i := 0; i < 3; i++ {
		now = schedule.Next(now)
		fmt.Print(now.Format(" 02.01. 15:04-0700"))
	}
	fmt.Println()
}

func main() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	times("spring", "30 2 * * *", time.Date(2026, 3, 27, 12, 0, 0, 0, berlin))
	times("autumn", "30 2 * * *", time.Date(2026, 10, 24, 12, 0, 0, 0, berlin))
	times("odd days and Mondays", "0 12 */2 * 1", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
}
GO
export GOFLAGS=-mod=mod
found=$(go run . 2>/dev/null)
echo "$found"
[ "$found" = "spring: 28.03. 02:30+0100 30.03. 02:30+0200 31.03. 02:30+0200
autumn: 25.10. 02:30+0200 25.10. 02:30+0100 26.10. 02:30+0100
odd days and Mondays: 01.03. 12:00+0000 02.03. 12:00+0000 03.03. 12:00+0000" ]
