//! The catalogue's address: the query string and back. May import `domain`.

use crate::domain::catalogue::{Query, Sort, StatusFilter};

/// What the address asks for, and whether all rows are wanted at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    pub query: Query,
    pub all: bool,
}

/// Reads a query string, with or without its `?`.
pub fn parse(search: &str) -> Address {
    let mut address = Address::default();
    for pair in search.trim_start_matches('?').split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value);
        match name {
            "q" => address.query.q = value,
            "category" => address.query.category = value,
            "status" => address.query.status = StatusFilter::parse(&value),
            "sort" => address.query.sort = Sort::parse(&value),
            "all" => address.all = !value.is_empty(),
            _ => {}
        }
    }
    address
}

/// The address that asks for this; what is not asked for is not in it.
pub fn href(query: &Query, all: bool) -> String {
    let mut url = String::from("/connectors");
    for (name, value) in [
        ("q", query.q.trim()),
        ("category", &query.category),
        ("status", query.status.as_str()),
        ("sort", query.sort.as_str()),
        ("all", if all { "1" } else { "" }),
    ] {
        if !value.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(name);
            url.push('=');
            encode(value, &mut url);
        }
    }
    url
}

/// A page's address, with where to go after it.
pub fn with_next(path: &str, next: &str) -> String {
    let mut url = format!("{path}?next=");
    encode(next, &mut url);
    url
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => into.push(byte.into()),
            b' ' => into.push('+'),
            _ => {
                into.push('%');
                into.push(HEX[usize::from(byte >> 4)].into());
                into.push(HEX[usize::from(byte & 15)].into());
            }
        }
    }
}

fn decode(value: &str) -> String {
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match escaped(bytes.clone()) {
                Some(escaped) => {
                    bytes.nth(1);
                    escaped
                }
                None => b'%',
            },
            other => other,
        });
    }
    String::from_utf8(decoded).unwrap_or_default()
}

/// The byte that two hexadecimal digits stand for.
fn escaped(mut ahead: std::str::Bytes<'_>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let (high, low) = (digit(ahead.next())?, digit(ahead.next())?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_way_there_and_back() {
        let query = Query {
            q: "größer & 50%+".into(),
            category: "E-commerce / Shops".into(),
            status: StatusFilter::NeedsAttention,
            sort: Sort::LastSynced,
        };
        let url = href(&query, true);
        assert!(url.starts_with("/connectors?q=gr%C3%B6%C3%9Fer+%26+50%25%2B&category="));
        let (_, search) = url.split_once('?').expect("a query");
        assert_eq!(parse(search), Address { query, all: true });
    }

    #[test]
    fn nothing_asked_for_is_the_bare_path() {
        assert_eq!(href(&Query::default(), false), "/connectors");
        assert_eq!(parse("?"), Address::default());
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(parse("q=50%&status=nonsense").query.q, "50%");
        assert_eq!(parse("q=%zz").query.q, "%zz");
    }
}
