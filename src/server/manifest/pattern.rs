//! The patterns of fields: what this server's engine and every browser's `pattern` attribute (the
//! `v` flag) read alike. HTML drops a pattern it can't read without a word, so the check is here.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// The same in both engines: quantifiers, groups and anchors mean the whole value.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    portable(pattern)?;
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            format!("does not compile: {reason}")
        })
}

/// A pattern that somebody else wrote, as that one means it: it may match a part. Told as well:
/// whether a browser's `pattern` would read it alike. Nothing where it can't be read here.
pub(super) fn foreign(pattern: &str) -> Option<(Regex, bool)> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .ok()?;
    let whole = pattern.starts_with('^') && pattern.ends_with('$') && !pattern.contains('|');
    Some((regex, whole && portable(pattern).is_ok()))
}

fn portable(pattern: &str) -> Result<(), String> {
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, r"^$\.*+?()[]{}|/")?,
            '[' => class(&mut rest)?,
            '{' => repetition(&mut rest)?,
            '(' if rest.peek() == Some(&'?') => {
                rest.next();
                if rest.next() != Some(':') {
                    return Err("uses a group other than (…) or (?:…)".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The inside of `{…}`: with a space in it, only some engines take it for a number.
fn repetition(rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    let plain = rest
        .by_ref()
        .take_while(|c| *c != '}')
        .all(|c| c.is_ascii_digit() || c == ',');
    if plain {
        Ok(())
    } else {
        Err("has braces with something other than numbers in them".to_owned())
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>, allowed: &str) -> Result<(), String> {
    match rest.next() {
        Some(c) if allowed.contains(c) => Ok(()),
        Some(c) => Err(format!("uses \\{c}, which not every engine reads alike")),
        None => Err("ends with a backslash".to_owned()),
    }
}

/// The inside of `[…]`, where the `v` flag reserves more than other engines do.
fn class(rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    const DOUBLED: &str = "&!#$%*+,.:;<=>?@^`~";
    let mut before = None;
    if rest.peek() == Some(&'^') {
        rest.next();
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => return Ok(()),
            '\\' => escape(rest, r"^$\.*+?()[]{}|/-&!#%,:;<=>@`~")?,
            '(' | ')' | '[' | '{' | '}' | '/' | '|' => {
                return Err(format!(
                    "has {c} in a class; write it with a backslash there"
                ));
            }
            '-' => {
                let range = before.is_some_and(char::is_alphanumeric)
                    && rest.peek().is_some_and(|next| next.is_alphanumeric());
                if !range {
                    return Err("has - in a class that is no range; write it \\-".to_owned());
                }
            }
            c if DOUBLED.contains(c) && before == Some(c) => {
                return Err(format!("has {c} twice in a class"));
            }
            _ => {}
        }
        // What was escaped neither begins a range nor doubles anything.
        before = (c != '\\').then_some(c);
    }
    Err("has a class that does not end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_every_engine_reads() {
        for (pattern, fits, breaks) in [
            (r"^[a-z0-9][a-z0-9_\-]*$", "acme-co", "-acme"),
            (r"[0-9]{3}", "123", "1234"),
            (r"a|ab", "ab", "abc"),
            (
                r"^(?:dev\.azure\.com/)?[A-Z._~\-]+$",
                "dev.azure.com/A.B",
                "dev-azure",
            ),
        ] {
            let regex = compile(pattern).unwrap();
            assert!(regex.is_match(fits), "{pattern} {fits}");
            assert!(!regex.is_match(breaks), "{pattern} {breaks}");
            assert!(!regex.is_match(&format!("{fits}\n")), "{pattern}");
        }
    }

    #[test]
    fn foreign_patterns_are_read_as_far_as_they_can_be() {
        let (regex, portable) = foreign("^[a-z0-9_-]+$").unwrap();
        assert!(!portable && regex.is_match("a-b") && !regex.is_match("a b"));
        let (regex, portable) = foreign("^[a-z]+$").unwrap();
        assert!(portable && !regex.is_match("a\n"));
        assert!(!foreign("[a-z]").unwrap().1);
        assert!(foreign("^(?=a)a$").is_none());
        assert!(foreign("^(a$").is_none());
    }

    #[test]
    fn refuses_what_engines_read_differently() {
        for (pattern, reason) in [
            (r"^\d+$", r"uses \d, which not every engine reads alike"),
            (r"^a\-b$", r"uses \-, which not every engine reads alike"),
            (r"^(?=a)a$", "uses a group other than (…) or (?:…)"),
            (r"^(a)\1$", r"uses \1, which not every engine reads alike"),
            (
                "^[a-z-]+$",
                r"has - in a class that is no range; write it \-",
            ),
            (
                "^[a/]+$",
                "has / in a class; write it with a backslash there",
            ),
            (
                "^a{ 2 }$",
                "has braces with something other than numbers in them",
            ),
            ("^[a&&b]+$", "has & twice in a class"),
            ("^[a", "has a class that does not end"),
            ("a\\", "ends with a backslash"),
            ("^(a$", "does not compile: unclosed group"),
            (
                "^[z-a]$",
                "does not compile: invalid character class range, the start must be <= the end",
            ),
        ] {
            assert_eq!(compile(pattern).unwrap_err(), reason, "{pattern}");
        }
    }
}
