//! Nango's rules for tags, for sessions and for the filter of the connection list.
//!
//! May import `validate` only.

use std::collections::BTreeMap;

use serde_json::Value;

use super::validate::{self, Issues};

pub type Tags = BTreeMap<String, String>;

const MOST: usize = 10;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 255;

/// Reads `tags`: keys are lower-cased, values kept as they are.
pub fn read(issues: &mut Issues, value: &Value) -> Tags {
    let mut tags = Tags::new();
    let Value::Object(map) = value else {
        issues.wrong_type("record", Some(value), validate::path(&["tags"]));
        return tags;
    };
    let mut sound = true;
    let mut twice = Vec::new();
    for (key, value) in map {
        let path = validate::path(&["tags", key]);
        if !is_key(key) {
            issues.push("invalid_key", "Invalid key in record", path);
            sound = false;
            continue;
        }
        match value {
            Value::String(text) if text.is_empty() => {
                issues.too_short(path);
                sound = false;
            }
            // JavaScript counts UTF-16 units.
            Value::String(text) if text.encode_utf16().count() > LONGEST_VALUE => {
                let message = format!("Tag values must be at most {LONGEST_VALUE} characters");
                issues.push("too_big", &message, path);
                sound = false;
            }
            Value::String(text) => {
                let key = key.to_lowercase();
                if tags.insert(key.clone(), text.clone()).is_some() {
                    twice.push(key);
                }
            }
            other => {
                issues.wrong_type("string", Some(other), path);
                sound = false;
            }
        }
    }
    // The rules over the whole record run only when each entry is sound.
    if sound {
        let path = || validate::path(&["tags"]);
        if map.len() > MOST {
            let message = format!("Tags cannot contain more than {MOST} keys");
            issues.push("custom", &message, path());
        }
        for key in twice {
            let message = format!("Duplicate tag key after case normalization: \"{key}\"");
            issues.push("custom", &message, path());
        }
        if tags
            .get("end_user_email")
            .is_some_and(|mail| !validate::is_email(mail))
        {
            let message = "Tag \"end_user_email\" must be a valid email";
            issues.push("custom", message, path());
        }
    }
    tags
}

fn is_key(key: &str) -> bool {
    let mut chars = key.chars();
    key.len() <= LONGEST_KEY
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
}
