"""What the processes of the benches run; scripts and modules that both SDKs understand."""
