//! Samples of the real thing with a few things wrong: they come further than noise does.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*, sample::select};

/// What readers trip over.
const WORDS: &[&str] = &[
    "\0",
    "\t",
    "\r\n",
    "\n",
    " ",
    "\"",
    "'",
    "\\",
    "/",
    "//",
    "/\\",
    "..",
    "/../",
    "%",
    "%00",
    "%2f",
    "%5c",
    "%0d%0a",
    "%ff",
    "&",
    "=",
    ";",
    ",",
    ".",
    "..",
    ":",
    "@",
    "#",
    "?",
    "[",
    "]",
    "{",
    "}",
    "[[[[[[[[",
    "{\"a\":",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9223372036854775808",
    "0x7f",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{202e}",
    "\u{85}",
    "\u{a0}",
    "é",
    "日本",
    "🙂",
    "javascript:",
    "data:",
    "http://",
    "https://evil.example",
    "evil.example",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "Bearer ",
    "bearer",
    "none",
    "HS256",
    "state=",
    "attempt=",
    "payload",
    "customField",
    "*",
    "br",
    "gzip;q=0",
    "Bearer",
    "\u{7f}",
    "\x1b[0m",
    "$(x)",
    "<script>",
    "'; --",
    "connectionId",
    "auth",
    "sync",
    "tags",
    "error",
];

#[derive(Clone, Debug)]
pub enum Edit {
    /// From here so many bytes are gone.
    Cut(usize, usize),
    /// They stand there twice.
    Twice(usize, usize),
    Word(usize, &'static str),
    Byte(usize, u8),
    /// The rest is another sample's.
    Graft(usize, usize, usize),
    /// Everything in it, a few times over.
    Again(usize),
}

pub fn edit() -> impl Strategy<Value = Edit> {
    let at = 0_usize..4096;
    prop_oneof![
        3 => (at.clone(), 1_usize..24).prop_map(|(at, length)| Edit::Cut(at, length)),
        1 => (at.clone(), 1_usize..64).prop_map(|(at, length)| Edit::Twice(at, length)),
        4 => (at.clone(), select(WORDS)).prop_map(|(at, word)| Edit::Word(at, word)),
        3 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        1 => (at.clone(), any::<u16>(), at).prop_map(|(at, sample, from)| Edit::Graft(at, usize::from(sample), from)),
        1 => (2_usize..5).prop_map(Edit::Again),
    ]
}

pub fn apply(text: &mut Vec<u8>, edit: &Edit, samples: &[Vec<u8>]) {
    let length = text.len();
    let place = |at: usize| if length == 0 { 0 } else { at % (length + 1) };
    match *edit {
        Edit::Cut(at, number) => drop(text.drain(place(at)..(place(at) + number).min(length))),
        Edit::Twice(at, number) => {
            let part = text[place(at)..(place(at) + number).min(length)].to_vec();
            text.splice(place(at)..place(at), part);
        }
        Edit::Word(at, word) => drop(text.splice(place(at)..place(at), word.bytes())),
        Edit::Byte(at, byte) => match text.get_mut(place(at)) {
            Some(found) => *found = byte,
            None => text.push(byte),
        },
        Edit::Graft(at, sample, from) => {
            let other = &samples[sample % samples.len()];
            text.truncate(place(at));
            text.extend_from_slice(&other[from % (other.len() + 1)..]);
        }
        Edit::Again(times) => *text = text.repeat(times),
    }
}

/// Bytes: mostly a sample with some edits, sometimes noise.
pub fn bytes(samples: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let samples: Arc<[Vec<u8>]> = samples
        .iter()
        .map(|sample| sample.as_bytes().to_vec())
        .collect();
    assert!(!samples.is_empty(), "nothing to mangle");
    let edited = (0..samples.len(), vec(edit(), 0..5)).prop_map(move |(sample, edits)| {
        let mut text = samples[sample].clone();
        for edit in &edits {
            apply(&mut text, edit, &samples);
        }
        text
    });
    prop_oneof![
        8 => edited,
        1 => vec(any::<u8>(), 0..64),
        1 => vec(select(WORDS), 0..8).prop_map(|words| words.concat().into_bytes()),
    ]
}

/// The same as text.
pub fn text(samples: &[&str]) -> impl Strategy<Value = String> + use<> {
    bytes(samples).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
