//! JSON of the server into the domain's types. The browser parses JSON itself, so reading its
//! objects field by field is all that the WASM needs: a parser of its own and serde's code for
//! each type would be a third of it.
//!
//! The lists of fields exist on both sides: a test holds them against what serde writes.

use uuid::Uuid;

use crate::domain::{
    attempt::{AttemptStatus, OpenAttempt, Started},
    connection::Connection,
    connector::{Connector, ConnectorDetails, Field, Icon, Scope, Unavailable},
    page::{CatalogueData, DetailsAnswer, PanelData},
    problem::{FieldError, Problem},
};

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// `Type: LIST { ..flattened, field, field as "name" }`
macro_rules! records {
    ($($type:ident: $list:ident {
        $(..$flat:ident,)? $($field:ident $(as $name:literal)?),* $(,)?
    })*) => {
        $(
            #[doc = concat!("The fields of `", stringify!($type), "` in JSON, flattened ones left out.")]
            pub const $list: &[&str] = &[$(name!($field $($name)?)),*];

            // No field is left out, on either side.
            const _: fn($type) = |$type { $($flat: _,)? $($field: _),* }| {};

            #[cfg(feature = "hydrate")]
            impl FromJs for $type {
                fn from_js(value: &JsValue) -> Self {
                    Self {
                        $($flat: FromJs::from_js(value),)?
                        $($field: field(value, name!($field $($name)?)),)*
                    }
                }
            }
        )*
    };
}

records! {
    Connector: CONNECTOR {
        id, slug, name, category, summary, icon, auth, asks_first, multiple_accounts, unavailable,
    }
    Icon: ICON { color, monogram }
    Unavailable: UNAVAILABLE { code, reason }
    ConnectorDetails: CONNECTOR_DETAILS {
        ..connector,
        description, before_you_go, disconnect_stops, scopes, inputs, credentials, auth_mode,
    }
    Scope: SCOPE { grants, scope }
    Field: FIELD {
        name, label, help, pattern, example, prefix, suffix, options, secret, optional, multiline,
    }
    Connection: CONNECTION {
        id, connector_id, connector, status, account, connected_at, disconnected_at,
        last_synced_at, last_error, error_count, created_at, updated_at, version, attempt,
    }
    OpenAttempt: OPEN_ATTEMPT { id, kind, expires_at }
    Started: STARTED { attempt_id, oauth_url, expires_at, connection }
    AttemptStatus: ATTEMPT_STATUS { attempt_id, kind, state, error, expires_at, connection }
    Problem: PROBLEM { kind as "type", title, status, detail, code, errors, reference }
    FieldError: FIELD_ERROR { field, message }
    DetailsAnswer: DETAILS_ANSWER { ..details, connections }
    CatalogueData: CATALOGUE_DATA { connectors, connections, search, now, icons, off }
    PanelData: PANEL_DATA {
        details, connections, now, icons, off, refused, values, confirm, target, another,
    }
}

/// Reads an id as the server writes it; far smaller than `Uuid`'s own parser, which takes more
/// forms and explains what is wrong with them.
pub fn uuid(text: &str) -> Option<Uuid> {
    let mut digits = 0;
    let mut value = 0_u128;
    for byte in text.bytes().filter(|byte| *byte != b'-') {
        value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        digits += 1;
    }
    (digits == 32).then(|| Uuid::from_u128(value))
}

#[cfg(feature = "hydrate")]
pub use read::{FromJs, parse};
#[cfg(feature = "hydrate")]
use {read::field, wasm_bindgen::JsValue};

#[cfg(feature = "hydrate")]
mod read {
    use uuid::Uuid;
    use wasm_bindgen::{JsCast, JsValue};

    use super::uuid;
    use crate::domain::{
        attempt::{AttemptKind, AttemptState},
        connection::Status,
        connector::Auth,
        timestamp::Timestamp,
    };

    /// A type that can be read from a value of JavaScript's. What is missing or strange is read
    /// as empty: the server is ours, and checking each field would double the code.
    pub trait FromJs: Sized {
        fn from_js(value: &JsValue) -> Self;
    }

    /// Reads JSON text; nothing where it is none.
    pub fn parse<T: FromJs>(text: &str) -> Option<T> {
        Some(T::from_js(&js_sys::JSON::parse(text).ok()?))
    }

    /// A field of an object.
    pub(super) fn field<T: FromJs>(of: &JsValue, name: &str) -> T {
        T::from_js(&get(of, name))
    }

    fn get(of: &JsValue, name: &str) -> JsValue {
        js_sys::Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED)
    }

    impl FromJs for String {
        fn from_js(value: &JsValue) -> Self {
            value.as_string().unwrap_or_default()
        }
    }

    impl FromJs for bool {
        fn from_js(value: &JsValue) -> Self {
            value.is_truthy()
        }
    }

    macro_rules! numbers {
        ($($type:ident)*) => {
            $(impl FromJs for $type {
                #[expect(clippy::cast_possible_truncation, reason = "JSON's numbers are these")]
                fn from_js(value: &JsValue) -> Self {
                    value.as_f64().unwrap_or_default() as Self
                }
            })*
        };
    }

    numbers!(i64 i32 u16);

    impl<T: FromJs> FromJs for Option<T> {
        fn from_js(value: &JsValue) -> Self {
            (!value.is_undefined() && !value.is_null()).then(|| T::from_js(value))
        }
    }

    impl<T: FromJs> FromJs for Vec<T> {
        fn from_js(value: &JsValue) -> Self {
            let mut list = Self::new();
            // An empty list may have been left out.
            if let Some(array) = value.dyn_ref::<js_sys::Array>() {
                for index in 0..array.length() {
                    list.push(T::from_js(&array.get(index)));
                }
            }
            list
        }
    }

    impl FromJs for (String, String) {
        fn from_js(value: &JsValue) -> Self {
            (field(value, "0"), field(value, "1"))
        }
    }

    macro_rules! parsed {
        ($($type:ident: $parse:expr, $else:expr;)*) => {
            $(impl FromJs for $type {
                fn from_js(value: &JsValue) -> Self {
                    $parse(&String::from_js(value)).unwrap_or($else)
                }
            })*
        };
    }

    parsed! {
        Uuid: uuid, Uuid::nil();
        Timestamp: Timestamp::parse, Timestamp(0);
        Status: Status::parse, Status::Disconnected;
        Auth: Auth::parse, Auth::Popup;
        AttemptKind: AttemptKind::parse, AttemptKind::Connect;
        AttemptState: AttemptState::parse, AttemptState::Open;
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::domain::{
        attempt::{AttemptKind, AttemptState},
        connection::Status,
        connector::Auth,
        timestamp::Timestamp,
    };

    /// Every field of `value` as serde writes it is in the lists, and the other way round.
    #[track_caller]
    fn agree(value: &impl Serialize, lists: &[&[&str]]) {
        let json = serde_json::to_value(value).expect("JSON");
        let mut written: Vec<&str> = json
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let mut read = lists.concat();
        written.sort_unstable();
        read.sort_unstable();
        assert_eq!(written, read);
    }

    fn connection() -> Connection {
        let at = Timestamp(0);
        Connection {
            id: Uuid::nil(),
            connector_id: Uuid::nil(),
            connector: "gmail".into(),
            status: Status::Connected,
            account: Some("ada".into()),
            connected_at: Some(at),
            disconnected_at: Some(at),
            last_synced_at: Some(at),
            last_error: Some("broken".into()),
            error_count: 1,
            created_at: at,
            updated_at: at,
            version: 1,
            attempt: Some(OpenAttempt {
                id: Uuid::nil(),
                kind: AttemptKind::Connect,
                expires_at: at,
            }),
        }
    }

    fn details() -> ConnectorDetails {
        ConnectorDetails {
            connector: Connector {
                unavailable: Some(Unavailable {
                    code: "off".into(),
                    reason: "Off.".into(),
                }),
                ..Connector::default()
            },
            ..ConnectorDetails::default()
        }
    }

    #[test]
    fn the_browser_reads_what_the_server_writes_of_connectors() {
        let details = details();
        agree(&details.connector, &[CONNECTOR]);
        agree(&details, &[CONNECTOR, CONNECTOR_DETAILS]);
        agree(&details.connector.unavailable, &[UNAVAILABLE]);
        let text = || Some("x".to_owned());
        let icon = Icon {
            color: text(),
            monogram: text(),
        };
        agree(&icon, &[ICON]);
        let scope = Scope {
            grants: String::new(),
            scope: text(),
        };
        agree(&scope, &[SCOPE]);
        let field = Field {
            help: text(),
            pattern: text(),
            example: text(),
            prefix: text(),
            suffix: text(),
            options: vec![String::new()],
            secret: true,
            optional: true,
            multiline: true,
            ..Field::default()
        };
        agree(&field, &[FIELD]);
    }

    #[test]
    fn the_browser_reads_what_the_server_writes_of_connections() {
        let connection = connection();
        agree(&connection, &[CONNECTION]);
        agree(&connection.attempt, &[OPEN_ATTEMPT]);
        let started = Started {
            attempt_id: Uuid::nil(),
            oauth_url: None,
            expires_at: Timestamp(0),
            connection: connection.clone(),
        };
        agree(&started, &[STARTED]);
        let status = AttemptStatus {
            attempt_id: Uuid::nil(),
            kind: AttemptKind::Connect,
            state: AttemptState::Open,
            error: Some(String::new()),
            expires_at: Timestamp(0),
            connection,
        };
        agree(&status, &[ATTEMPT_STATUS]);
    }

    #[test]
    fn the_browser_reads_what_the_server_writes_of_pages_and_problems() {
        let mut problem = Problem::new(400, "code", "Title.", "Next.");
        problem.errors.push(FieldError {
            field: String::new(),
            message: String::new(),
        });
        problem.reference = Some(String::new());
        agree(&problem, &[PROBLEM]);
        agree(&problem.errors[0], &[FIELD_ERROR]);
        agree(&CatalogueData::default(), &[CATALOGUE_DATA]);
        agree(&PanelData::default(), &[PANEL_DATA]);
        let answer = DetailsAnswer {
            details: details(),
            connections: Vec::new(),
        };
        agree(&answer, &[CONNECTOR, CONNECTOR_DETAILS, DETAILS_ANSWER]);
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(uuid(&id.to_string()), Some(id));
        for text in ["", "0123", "g1234567-89ab-cdef-0011-223344556677"] {
            assert_eq!(uuid(text), None, "{text}");
        }
        let long = format!("{id}0");
        assert_eq!(uuid(&long), None);
    }

    #[test]
    fn words_are_sent_as_they_are_read() {
        for auth in Auth::ALL {
            let written = serde_json::to_value(auth).expect("JSON");
            assert_eq!(Auth::parse(written.as_str().expect("text")), Some(auth));
        }
        for status in Status::ALL {
            let written = serde_json::to_value(status).expect("JSON");
            assert_eq!(Status::parse(written.as_str().expect("text")), Some(status));
        }
        for state in AttemptState::ALL {
            let written = serde_json::to_value(state).expect("JSON");
            assert_eq!(
                AttemptState::parse(written.as_str().expect("text")),
                Some(state)
            );
        }
    }
}
