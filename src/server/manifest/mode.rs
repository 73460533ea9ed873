//! Nango's auth modes: who asks, and by which names Nango takes what was typed.
//!
//! May import nothing of ours.

/// Where a mode's credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// A window that Nango opens.
    Window,
    /// Nobody: there is nothing to type.
    Nothing,
    /// Our form, with fields that differ from provider to provider.
    Any,
    /// Our form, with these fields and no others: Nango refuses unknown ones.
    Names {
        known: &'static [&'static str],
        /// Of each of these one at least.
        needed: &'static [&'static [&'static str]],
    },
}

/// `None` for a mode that this version does not know.
pub(super) fn asks(auth_mode: &str) -> Option<Asks> {
    Some(match auth_mode {
        "OAUTH2" | "OAUTH1" | "APP" | "CUSTOM" | "INSTALL_PLUGIN" | "MCP_OAUTH2"
        | "MCP_OAUTH2_GENERIC" => Asks::Window,
        "NONE" => Asks::Nothing,
        "TWO_STEP" | "JWT" => Asks::Any,
        "API_KEY" => Asks::Names {
            known: &["apiKey"],
            needed: &[&["apiKey"]],
        },
        // Which of the two a provider uses differs: some take an API key as the user name.
        "BASIC" => Asks::Names {
            known: &["username", "password"],
            needed: &[&["username", "password"]],
        },
        "SIGNATURE" => Asks::Names {
            known: &["username", "password"],
            needed: &[&["username"], &["password"]],
        },
        "OAUTH2_CC" => Asks::Names {
            known: &[
                "client_id",
                "client_secret",
                "client_private_key",
                "client_certificate",
            ],
            needed: &[&["client_id"], &["client_secret", "client_private_key"]],
        },
        "TBA" => Asks::Names {
            known: &["token_id", "token_secret"],
            needed: &[&["token_id"], &["token_secret"]],
        },
        "BILL" => Asks::Names {
            known: &["username", "password", "organization_id", "dev_key"],
            needed: &[
                &["username"],
                &["password"],
                &["organization_id"],
                &["dev_key"],
            ],
        },
        "AWS_SIGV4" => Asks::Names {
            known: &["role_arn", "region"],
            needed: &[&["role_arn"]],
        },
        _ => return None,
    })
}

/// The fields of a mode where neither the manifest nor Nango names any, and whether each is
/// optional.
pub(super) fn usual(auth_mode: &str) -> Vec<(&'static str, bool)> {
    match asks(auth_mode) {
        // A user name that is an API key has no password beside it.
        Some(Asks::Names { .. }) if auth_mode == "BASIC" => {
            vec![("username", false), ("password", true)]
        }
        Some(Asks::Names { needed, .. }) => needed
            .iter()
            .filter_map(|group| Some((*group.first()?, false)))
            .collect(),
        _ => Vec::new(),
    }
}

/// What a field is called where nobody says: `organization_id` as “Organization ID”.
pub(super) fn label(name: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if letter == '_' || (letter.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    for (index, word) in words.iter_mut().enumerate() {
        if matches!(word.as_str(), "id" | "api" | "url" | "arn" | "jwt") {
            word.make_ascii_uppercase();
        } else if index == 0
            && let Some(first) = word.get_mut(..1)
        {
            first.make_ascii_uppercase();
        }
    }
    words.join(" ")
}

/// Whether a credential of that name may be seen: it says who, not how it is proved.
pub(super) fn is_public(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["id", "name", "user", "email", "identifier", "arn", "region"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether what has that name comes in several lines.
pub(super) fn is_multiline(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "");
    ["privatekey", "certificate", "pem"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        for (name, words) in [
            ("apiKey", "API key"),
            ("organization_id", "Organization ID"),
            ("privateKeyId", "Private key ID"),
            ("username", "Username"),
            ("role_arn", "Role ARN"),
        ] {
            assert_eq!(label(name), words);
        }
    }

    #[test]
    fn names_tell_secrets_from_the_rest() {
        for name in ["username", "client_id", "issuerId", "role_arn"] {
            assert!(is_public(name), "{name}");
        }
        for name in ["apiKey", "password", "privateKey", "dev_key", "token"] {
            assert!(!is_public(name), "{name}");
        }
        assert!(is_multiline("privateKey") && is_multiline("client_private_key"));
        assert!(!is_multiline("privateKeyId") && !is_multiline("apiKey"));
    }
}
