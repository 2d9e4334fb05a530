//! JSON read from the front, borrowing from it, without a look at what is not used.
//!
//! All legal JSON is read: escapes, blanks, nested values, numbers of every form. Of a text that is skipped only the end
//! is looked for: two thirds of a page are certificates in PEM, which nobody asks for while a row says when it ends.
//! Every answer is `None` where the JSON is not legal; whoever wants words for that has serde read it again.

use std::borrow::Cow;

use memchr::memchr;

use crate::client::tencent::Whole;

/// Values within values; what is nested deeper is refused, or reading it would overrun the stack.
const DEEPEST: u8 = 100;

/// Room for a text that begins to have escapes: few are longer.
const ESCAPED: usize = 192;

/// Characters that are taken from their escapes before they are put into a text.
const AT_ONCE: usize = 32;

/// What each hexadecimal digit stands for; more than any of them for other bytes.
const DIGITS: [u32; 256] = digits();

#[expect(clippy::cast_possible_truncation, reason = "below 16")]
const fn digits() -> [u32; 256] {
    let mut digits = [1 << 16; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u32;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u32;
        value += 1;
    }
    digits
}

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// A value without a look into it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    /// Not yet known to be UTF-8.
    Text(Cow<'a, [u8]>),
    /// As it is written.
    Number(&'a [u8]),
    /// A truth value, an array, an object, or a text with half a character in it.
    Other,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Returns the next byte that is not blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    /// Reads an object, giving the name of each field to `read`, which takes the value.
    pub(super) fn object(
        &mut self,
        mut read: impl FnMut(&mut Self, &[u8]) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.text()??;
            self.take(b':')?;
            read(self, &name)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// Reads an array, each of whose values `read` takes.
    pub(super) fn array(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            read(self)?;
            if self.take(b',').is_none() {
                return self.take(b']');
            }
        }
    }

    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.text().map(|text| text.map_or(Value::Other, Value::Text)),
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            b'n' => self.word(b"null").map(|()| Value::Null),
            _ => self.skip().map(|()| Value::Other),
        }
    }

    /// Returns what lies between this place and one further on.
    pub(super) fn up_to(self, further: &Self) -> &'a [u8] {
        self.rest.get(..self.rest.len() - further.rest.len()).unwrap_or_default()
    }

    /// Skips a value and returns it as it is written.
    pub(super) fn raw(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let before = *self;
        self.skip()?;
        Some(before.up_to(self))
    }

    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_within(DEEPEST)
    }

    fn skip_within(&mut self, depth: u8) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_text(),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b'{' => {
                let depth = depth.checked_sub(1)?;
                self.object(|reader, _| reader.skip_within(depth))
            }
            b'[' => {
                let depth = depth.checked_sub(1)?;
                self.array(|reader| reader.skip_within(depth))
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            _ => self.word(b"null"),
        }
    }

    /// Jumps to the first quotation mark that is not escaped.
    fn skip_text(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let (text, rest) = self.rest.split_at_checked(memchr(b'"', self.rest)?)?;
            self.rest = rest.get(1..)?;
            let escapes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
            if escapes.is_multiple_of(2) {
                return Some(());
            }
        }
    }

    /// Reads a text; the inner is `None` where an escape in it is half a character.
    #[expect(clippy::option_option, reason = "the outer says whether it is JSON")]
    fn text(&mut self) -> Option<Option<Cow<'a, [u8]>>> {
        self.take(b'"')?;
        match self.plain()? {
            (plain, b'"') => Some(Some(Cow::Borrowed(plain))),
            (plain, _) => self.escaped(plain).map(|text| text.map(Cow::Owned)),
        }
    }

    /// Reads the rest of a text from its first escape on, whose backslash was read.
    #[expect(clippy::option_option, reason = "the outer says whether it is JSON")]
    fn escaped(&mut self, plain: &[u8]) -> Option<Option<Vec<u8>>> {
        let mut text = Vec::with_capacity(plain.len() + ESCAPED);
        text.extend_from_slice(plain);
        let mut whole = self.escape(&mut text)?;
        loop {
            // Where there is one escape, the next character often is one too.
            self.ascii_escapes(&mut text);
            let (plain, end) = self.plain()?;
            text.extend_from_slice(plain);
            if end == b'"' {
                return Some(whole.then_some(text));
            }
            whole &= self.escape(&mut text)?;
        }
    }

    /// Reads as many escapes of ASCII characters as there are in a row, such as `\u0041`.
    fn ascii_escapes(&mut self, text: &mut Vec<u8>) {
        let mut characters = [0; AT_ONCE];
        loop {
            let mut count = 0;
            for (character, escape) in characters.iter_mut().zip(self.rest.as_chunks::<6>().0) {
                let Some(ascii) = ascii(*escape) else { break };
                *character = ascii;
                count += 1;
            }
            text.extend_from_slice(characters.get(..count).unwrap_or_default());
            self.rest = self.rest.get(count * 6..).unwrap_or_default();
            if count < AT_ONCE {
                return;
            }
        }
    }

    /// Reads what stands in a text up to a quotation mark or a backslash, and that.
    fn plain(&mut self) -> Option<(&'a [u8], u8)> {
        let (plain, rest) = self.rest.split_at_checked(special(self.rest)?)?;
        let (end, rest) = rest.split_first()?;
        self.rest = rest;
        // The third that ends it is a control character, which JSON does not allow.
        (*end >= b' ').then_some((plain, *end))
    }

    /// Reads an escape without its backslash; false where it is half a character.
    fn escape(&mut self, text: &mut Vec<u8>) -> Option<bool> {
        let (kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        text.push(match kind {
            b'"' | b'\\' | b'/' => *kind,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.character(text),
            _ => return None,
        });
        Some(true)
    }

    /// Reads four hexadecimal digits, and where they are the first half of a character the escape of the second.
    fn character(&mut self, text: &mut Vec<u8>) -> Option<bool> {
        let mut code = self.four_digits()?;
        if let 0xD800..=0xDBFF = code
            && let Some(rest) = self.rest.strip_prefix(b"\\u")
        {
            self.rest = rest;
            let second = self.four_digits()?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                return Some(false);
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
        }
        if let Ok(ascii @ 0..0x80) = u8::try_from(code) {
            text.push(ascii);
            return Some(true);
        }
        let Some(character) = char::from_u32(code) else { return Some(false) };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(true)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        let [first, second, third, fourth] = digits.map(|digit| DIGITS[usize::from(digit)]);
        let code = first << 12 | second << 8 | third << 4 | fourth;
        (code <= 0xFFFF).then_some(code)
    }

    fn number(&mut self) -> Option<&'a [u8]> {
        let before = *self;
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if let [b'0', b'0'..=b'9', ..] = self.rest {
            return None;
        }
        self.digits()?;
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        Some(before.up_to(self))
    }

    fn digits(&mut self) -> Option<()> {
        let other = self.rest.iter().position(|byte| !byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(other.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        (!digits.is_empty()).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then_some(())?;
        self.rest = self.rest.get(1..)?;
        Some(())
    }
}

/// Returns the ASCII character that an escape stands for, if it is one of those.
fn ascii(escape: [u8; 6]) -> Option<u8> {
    let [b'\\', b'u', b'0', b'0', first, second] = escape else { return None };
    let code = DIGITS[usize::from(first)] << 4 | DIGITS[usize::from(second)];
    u8::try_from(code).ok().filter(u8::is_ascii)
}

/// Returns the whole number that a number is, however it is written; `None` for any other.
pub(super) fn integer(number: &[u8]) -> Option<i64> {
    // Any 18 digits fit.
    if number.len() <= 18 && number.iter().all(u8::is_ascii_digit) {
        return Some(number.iter().fold(0, |all, digit| all * 10 + i64::from(digit - b'0')));
    }
    let number = std::str::from_utf8(number).ok()?;
    number.parse().ok().or_else(|| Some(Whole::of(number.parse().ok()?)?.0))
}

/// Returns where the first byte is that cannot stand in a plain text: a quotation mark, a backslash, a control character.
/// Eight bytes at a step.
fn special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let below = |word: u64, byte: u8| word.wrapping_sub(ONES * u64::from(byte)) & !word;
    let (words, _) = text.as_chunks::<8>();
    for (step, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        // A borrow may mark bytes above the first one that is right, never below it.
        let found = (quote | backslash | below(word, b' ')) & TOPS;
        if found != 0 {
            return Some(step * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let scanned = words.len() * 8;
    let tail = text.get(scanned..)?.iter();
    let stops = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
    tail.copied().position(|byte| stops(&byte)).map(|at| scanned + at)
}
