//! The wire format: requests are split into spans, replies are written into one buffer.
//!
//! Law: what is read here is read as protobuf reads it. Whatever is unusual, be it malformed, a
//! field of the future or a field that stands twice, is not read at all: the answer is `None`, and
//! the reference implementation in Python takes over, with its results and its errors.
//!
//! Nothing in this file knows Python, so `cargo test` and Miri can run all of it.

/// A piece of a request: the offsets of its first byte and of the byte behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn of(self, data: &[u8]) -> &[u8] {
        &data[self.start as usize..self.end as usize]
    }

    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same piece, for data that begins at `start`.
    pub fn moved(self, start: u32) -> Span {
        if self.is_empty() {
            return Span::default();
        }
        Span {
            start: self.start - start,
            end: self.end - start,
        }
    }
}

/// A `TypedValue`; `value` counts if `has_value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    pub typename: Span,
    pub has_value: bool,
    pub value: Span,
    pub has_headers: bool,
}

/// An `Address`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub namespace: Span,
    pub name: Span,
    pub id: Span,
}

impl Target {
    pub fn is_known(&self) -> bool {
        !(self.namespace.is_empty() && self.name.is_empty() && self.id.is_empty())
    }
}

/// One message of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    pub whole: Span,
    pub caller: Span,
    pub argument: Span,
    pub typed: Typed,
}

impl Invocation {
    /// The same message, for data that begins with it.
    pub fn detached(&self) -> Invocation {
        let start = self.whole.start;
        Invocation {
            whole: self.whole.moved(start),
            caller: self.caller.moved(start),
            argument: self.argument.moved(start),
            typed: Typed {
                typename: self.typed.typename.moved(start),
                value: self.typed.value.moved(start),
                ..self.typed
            },
        }
    }
}

/// One value of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub whole: Span,
    pub name: Span,
    pub typed: Typed,
}

/// A `ToFunction`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub target_field: Span,
    pub target: Target,
    /// The fields of namespace and name, as they stand before the id.
    pub typename_fields: Span,
    pub state: Vec<Stored>,
    pub invocations: Vec<Invocation>,
}

const LENGTH: u8 = 2;
const MOST_BYTES: usize = i32::MAX as usize;

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8], span: Span) -> Self {
        Reader {
            data,
            at: span.start as usize,
            end: span.end as usize,
        }
    }

    fn is_done(&self) -> bool {
        self.at == self.end
    }

    /// A tag of one byte: all fields but the outermost have one.
    #[inline]
    fn tag(&mut self) -> Option<u8> {
        let tag = *self.data.get(self.at)?;
        self.at += 1;
        (tag < 0x80).then_some(tag)
    }

    /// A length in as few bytes as it needs.
    #[inline]
    fn length(&mut self) -> Option<usize> {
        let first = *self.data[..self.end].get(self.at)?;
        self.at += 1;
        if first < 0x80 {
            return Some(first as usize);
        }
        let mut number = (first & 0x7F) as usize;
        for shift in [7, 14, 21, 28] {
            let byte = *self.data[..self.end].get(self.at)?;
            self.at += 1;
            number |= ((byte & 0x7F) as usize) << shift;
            if byte < 0x80 {
                return (byte != 0 && number <= MOST_BYTES).then_some(number);
            }
        }
        None
    }

    /// The content of a length-delimited field.
    #[inline]
    fn span(&mut self) -> Option<Span> {
        let length = self.length()?;
        let start = self.at;
        let end = start.checked_add(length)?;
        if end > self.end {
            return None;
        }
        self.at = end;
        Some(Span {
            start: start as u32,
            end: end as u32,
        })
    }

    /// The content of a field that is text, and that did not stand before.
    #[inline]
    fn text(&mut self, before: &mut bool) -> Option<Span> {
        let span = self.once(before)?;
        std::str::from_utf8(span.of(self.data)).ok()?;
        Some(span)
    }

    /// The content of a field that did not stand before.
    #[inline]
    fn once(&mut self, before: &mut bool) -> Option<Span> {
        if std::mem::replace(before, true) {
            return None;
        }
        self.span()
    }

    #[inline]
    fn boolean(&mut self, before: &mut bool) -> Option<bool> {
        if std::mem::replace(before, true) {
            return None;
        }
        let byte = *self.data[..self.end].get(self.at)?;
        self.at += 1;
        match byte {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// The content behind a length that reaches exactly to the end.
pub fn whole_field(data: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader {
        data,
        at: 0,
        end: data.len(),
    };
    let content = reader.span()?;
    reader.is_done().then(|| content.of(data))
}

const fn tag(number: u8) -> u8 {
    number << 3 | LENGTH
}

/// Split a request; `None` for one that the reference has to read.
pub fn split(data: &[u8]) -> Option<Request> {
    if data.len() > MOST_BYTES || data.len() < 3 || data[..2] != [0xA2, 0x06] {
        return None;
    }
    let mut outer = Reader {
        data,
        at: 2,
        end: data.len(),
    };
    let batch = outer.span()?;
    if !outer.is_done() {
        return None;
    }
    let mut reader = Reader::new(data, batch);
    let mut request = Request::default();
    let mut has_target = false;
    let mut typename = Span::default();
    while !reader.is_done() {
        match reader.tag()? {
            0x1A => {
                let whole = reader.span()?;
                let read = invocation(data, whole, typename)?;
                typename = read.typed.typename;
                request.invocations.push(read);
            }
            0x12 => {
                let whole = reader.span()?;
                request.state.push(stored(data, whole)?);
            }
            0x0A => {
                request.target_field = reader.once(&mut has_target)?;
                request.target = address(data, request.target_field)?;
            }
            _ => return None,
        }
    }
    let target = request.target;
    // Namespace, name and id in this order: what stands before the id is looked up as a whole.
    let is_usual = !target.namespace.is_empty()
        && target.name.start > target.namespace.end
        && (target.id.is_empty() || target.id.start > target.name.end);
    if !has_target || !is_usual || request.invocations.is_empty() {
        return None;
    }
    request.typename_fields = Span {
        start: request.target_field.start,
        end: target.name.end,
    };
    Some(request)
}

/// Read an address.
pub fn address(data: &[u8], span: Span) -> Option<Target> {
    let mut reader = Reader::new(data, span);
    let mut target = Target::default();
    let (mut namespace, mut name, mut id) = (false, false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => target.namespace = reader.text(&mut namespace)?,
            0x12 => target.name = reader.text(&mut name)?,
            0x1A => target.id = reader.text(&mut id)?,
            _ => return None,
        }
    }
    Some(target)
}

/// Read one message of a batch.
///
/// `known` is a typename that was checked already: the messages of a batch mostly have the same.
pub fn invocation(data: &[u8], whole: Span, known: Span) -> Option<Invocation> {
    let mut reader = Reader::new(data, whole);
    let mut read = Invocation {
        whole,
        ..Invocation::default()
    };
    let (mut caller, mut argument) = (false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => {
                read.caller = reader.once(&mut caller)?;
                address(data, read.caller)?;
            }
            0x12 => {
                read.argument = reader.once(&mut argument)?;
                read.typed = typed(data, read.argument, known)?;
            }
            _ => return None,
        }
    }
    Some(read)
}

fn stored(data: &[u8], whole: Span) -> Option<Stored> {
    let mut reader = Reader::new(data, whole);
    let mut read = Stored {
        whole,
        ..Stored::default()
    };
    let (mut name, mut value) = (false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => read.name = reader.text(&mut name)?,
            0x12 => {
                let span = reader.once(&mut value)?;
                read.typed = typed(data, span, Span::default())?;
            }
            _ => return None,
        }
    }
    Some(read)
}

/// Read a `TypedValue`; `known` is a typename that was checked already.
pub fn typed(data: &[u8], span: Span, known: Span) -> Option<Typed> {
    let mut reader = Reader::new(data, span);
    let mut read = Typed::default();
    let (mut typename, mut has_value, mut value) = (false, false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => {
                read.typename = reader.once(&mut typename)?;
                let text = read.typename.of(data);
                if text != known.of(data) {
                    std::str::from_utf8(text).ok()?;
                }
            }
            0x10 => read.has_value = reader.boolean(&mut has_value)?,
            0x1A => read.value = reader.once(&mut value)?,
            0x22 => {
                let header = reader.span()?;
                check_header(data, header)?;
                read.has_headers = true;
            }
            _ => return None,
        }
    }
    Some(read)
}

fn check_header(data: &[u8], span: Span) -> Option<()> {
    let mut reader = Reader::new(data, span);
    let (mut key, mut value, mut has_value) = (false, false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => {
                reader.text(&mut key)?;
            }
            0x12 => {
                reader.once(&mut value)?;
            }
            0x18 => {
                reader.boolean(&mut has_value)?;
            }
            _ => return None,
        }
    }
    Some(())
}

// --- replies -------------------------------------------------------------------------------------

/// How one message of a reply is delayed, or which delayed message is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delayed {
    pub delay_ms: i64,
    pub target: Target,
    pub has_target: bool,
    pub argument: Span,
    pub is_cancellation: bool,
    pub token: Span,
}

/// A mutation: `value` is `None` if the value is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    pub name: Span,
    pub value: Option<Typed>,
}

/// The result in a `FromFunction`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub messages: Vec<(Target, Span)>,
    pub delayed: Vec<Delayed>,
    pub egress: Vec<(Target, Span)>,
    pub mutations: Vec<Mutation>,
}

/// Read a result; `None` for anything that the reference has to read.
pub fn outcome(data: &[u8]) -> Option<Outcome> {
    let mut read = Outcome::default();
    if data.is_empty() {
        return Some(read);
    }
    if data.len() > MOST_BYTES || data.len() < 3 || data[..2] != [0xA2, 0x06] {
        return None;
    }
    let mut outer = Reader {
        data,
        at: 2,
        end: data.len(),
    };
    let result = outer.span()?;
    if !outer.is_done() {
        return None;
    }
    let mut reader = Reader::new(data, result);
    while !reader.is_done() {
        let tag = reader.tag()?;
        let span = reader.span()?;
        match tag {
            0x0A => read.mutations.push(mutation(data, span)?),
            0x12 => read.messages.push(outgoing(data, span)?),
            0x1A => read.delayed.push(delayed(data, span)?),
            0x22 => read.egress.push(record(data, span)?),
            _ => return None,
        }
    }
    Some(read)
}

fn mutation(data: &[u8], span: Span) -> Option<Mutation> {
    let mut reader = Reader::new(data, span);
    let (mut has_kind, mut has_name, mut has_value) = (false, false, false);
    let (mut is_modify, mut name, mut value) = (false, Span::default(), Typed::default());
    while !reader.is_done() {
        match reader.tag()? {
            0x08 => is_modify = reader.boolean(&mut has_kind)?,
            0x12 => name = reader.text(&mut has_name)?,
            0x1A => {
                let span = reader.once(&mut has_value)?;
                value = typed(data, span, Span::default())?;
            }
            _ => return None,
        }
    }
    Some(Mutation {
        name,
        value: is_modify.then_some(value),
    })
}

/// A target, and a serialized `TypedValue` in canonical form.
fn outgoing(data: &[u8], span: Span) -> Option<(Target, Span)> {
    let mut reader = Reader::new(data, span);
    let (mut has_target, mut has_argument) = (false, false);
    let (mut target, mut argument) = (Target::default(), Span::default());
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => {
                let span = reader.once(&mut has_target)?;
                target = address(data, span)?;
            }
            0x12 => argument = canonical(data, reader.once(&mut has_argument)?)?,
            _ => return None,
        }
    }
    Some((target, argument))
}

fn record(data: &[u8], span: Span) -> Option<(Target, Span)> {
    let mut reader = Reader::new(data, span);
    let (mut namespace, mut name, mut has_argument) = (false, false, false);
    let (mut target, mut argument) = (Target::default(), Span::default());
    while !reader.is_done() {
        match reader.tag()? {
            0x0A => target.namespace = reader.text(&mut namespace)?,
            0x12 => target.name = reader.text(&mut name)?,
            0x1A => argument = canonical(data, reader.once(&mut has_argument)?)?,
            _ => return None,
        }
    }
    Some((target, argument))
}

fn delayed(data: &[u8], span: Span) -> Option<Delayed> {
    let mut reader = Reader::new(data, span);
    let mut read = Delayed {
        delay_ms: 0,
        target: Target::default(),
        has_target: false,
        argument: Span::default(),
        is_cancellation: false,
        token: Span::default(),
    };
    let (mut delay, mut argument, mut cancels, mut token) = (false, false, false, false);
    while !reader.is_done() {
        match reader.tag()? {
            0x08 => {
                if std::mem::replace(&mut delay, true) {
                    return None;
                }
                read.delay_ms = i64::try_from(reader.length()?).ok()?;
            }
            0x12 => {
                let span = reader.once(&mut read.has_target)?;
                read.target = address(data, span)?;
            }
            0x1A => read.argument = canonical(data, reader.once(&mut argument)?)?,
            0x50 => read.is_cancellation = reader.boolean(&mut cancels)?,
            0x5A => read.token = reader.text(&mut token)?,
            _ => return None,
        }
    }
    Some(read)
}

/// A `TypedValue` whose bytes are those that protobuf itself would write for it.
fn canonical(data: &[u8], span: Span) -> Option<Span> {
    let read = typed(data, span, Span::default())?;
    if read.has_headers {
        return None;
    }
    let mut size = 0;
    if !read.typename.is_empty() {
        size += 1 + varint_size(read.typename.len() as u64) + read.typename.len();
        if read.typename.end as usize != span.start as usize + size {
            return None;
        }
    }
    if read.has_value {
        size += 2;
    }
    if !read.value.is_empty() {
        size += 1 + varint_size(read.value.len() as u64) + read.value.len();
        if read.value.end != span.end {
            return None;
        }
    }
    (size == span.len()).then_some(span)
}

// --- writing -------------------------------------------------------------------------------------

/// How many bytes a varint has.
#[inline]
pub fn varint_size(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Write a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The size of a length-delimited field with a tag of one byte.
#[inline]
pub fn field_size(content: usize) -> usize {
    1 + varint_size(content as u64) + content
}

/// Write a tag of one byte and a length.
#[inline]
pub fn put_head(out: &mut Vec<u8>, tag: u8, content: usize) {
    out.push(tag);
    put_varint(out, content as u64);
}

/// Write a length-delimited field.
#[inline]
pub fn put_field(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put_head(out, tag, content.len());
    out.extend_from_slice(content);
}

/// The fields of a present `TypedValue` up to the length of its value.
pub fn present_fields(typename: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(typename.len() + 8);
    put_field(&mut out, tag(1), typename);
    out.extend_from_slice(&[0x10, 0x01, 0x1A]);
    out
}

/// The first two fields of an address and the tag of the third; those of an egress message, too.
pub fn address_prefix(namespace: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(namespace.len() + name.len() + 8);
    put_field(&mut out, tag(1), namespace);
    put_field(&mut out, tag(2), name);
    out.push(tag(3));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_field(&mut out, tag, content);
        out
    }

    fn typed_value(typename: &str, value: &[u8]) -> Vec<u8> {
        let mut out = present_fields(typename.as_bytes());
        put_varint(&mut out, value.len() as u64);
        out.extend_from_slice(value);
        out
    }

    fn target() -> Vec<u8> {
        let mut out = address_prefix(b"n", b"f");
        put_varint(&mut out, 1);
        out.push(b'1');
        field(0x0A, &out)
    }

    fn around(batch: &[u8]) -> Vec<u8> {
        let mut out = vec![0xA2, 0x06];
        put_varint(&mut out, batch.len() as u64);
        out.extend_from_slice(batch);
        out
    }

    fn request(state: &[u8], invocation: &[u8]) -> Vec<u8> {
        around(&[target(), field(0x12, state), field(0x1A, invocation)].concat())
    }

    fn usual() -> Vec<u8> {
        let stored = [field(0x0A, b"seen"), field(0x12, &typed_value("a/b", &[7; 200]))].concat();
        request(&stored, &field(0x12, &typed_value("a/b", b"\x0a\x01x")))
    }

    #[test]
    fn a_usual_request_is_split_into_its_pieces() {
        let data = usual();
        let read = split(&data).unwrap();
        assert_eq!(read.target.namespace.of(&data), b"n");
        assert_eq!(read.target.name.of(&data), b"f");
        assert_eq!(read.target.id.of(&data), b"1");
        assert_eq!(read.state[0].name.of(&data), b"seen");
        assert_eq!(read.state[0].typed.value.of(&data), [7; 200]);
        assert_eq!(read.invocations.len(), 1);
        assert_eq!(read.invocations[0].typed.value.of(&data), b"\x0a\x01x");
        assert!(read.invocations[0].typed.has_value);
    }

    #[test]
    fn a_request_that_is_cut_anywhere_is_not_read() {
        let data = usual();
        for end in 0..data.len() {
            assert_eq!(split(&data[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn whatever_one_byte_becomes_every_span_lies_inside() {
        let data = usual();
        for at in 0..data.len() {
            for byte in 0..=255 {
                let mut changed = data.clone();
                changed[at] = byte;
                if let Some(read) = split(&changed) {
                    for invocation in &read.invocations {
                        invocation.typed.value.of(&changed);
                        let piece = invocation.whole.of(&changed).to_vec();
                        let moved = invocation.detached();
                        assert_eq!(
                            moved.typed.value.of(&piece),
                            invocation.typed.value.of(&changed)
                        );
                    }
                }
                outcome(&changed);
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_reference() {
        let value = field(0x12, &typed_value("a/b", b""));
        let twice = [value.clone(), value.clone()].concat();
        let unknown = [value.clone(), field(0x7A, b"x")].concat();
        let not_text = field(0x12, &field(0x0A, b"\xff"));
        for invocation in [&twice, &unknown, &not_text] {
            assert_eq!(split(&request(b"", invocation)), None);
        }
        let no_target = around(&field(0x1A, &value));
        let two_targets = around(&[target(), target(), field(0x1A, &value)].concat());
        let long_length = [&[0xA2, 0x06, 0x80, 0x00], &[][..]].concat();
        for whole in [no_target, two_targets, long_length] {
            assert_eq!(split(&whole), None);
        }
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, 2_097_152, i32::MAX as u64] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out.len(), varint_size(number));
            let mut reader = Reader {
                data: &out,
                at: 0,
                end: out.len(),
            };
            assert_eq!(reader.length(), Some(number as usize));
            assert!(reader.is_done());
        }
    }

    #[test]
    fn an_argument_in_another_form_than_protobuf_writes_is_left_to_the_reference() {
        let target = &target()[..];
        let canonical = typed_value("a/b", b"x");
        let other_order = [field(0x1A, b"x"), field(0x0A, b"a/b"), vec![0x10, 1]].concat();
        let explicit_default = [&field(0x0A, b"a/b")[..], &[0x10, 0]].concat();
        let reply = |argument: &[u8]| {
            let message = [target, &field(0x12, argument)].concat();
            around(&field(0x12, &message))
        };
        assert!(outcome(&reply(&canonical)).is_some());
        assert_eq!(outcome(&reply(&other_order)), None);
        assert_eq!(outcome(&reply(&explicit_default)), None);
    }
}
