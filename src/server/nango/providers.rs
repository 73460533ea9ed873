//! Nango's providers: which fields a person has to fill in, in Nango's own words and order.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    NangoError, NangoService,
    client::{Call, NO_BODY},
    wire::Data,
};

/// `GET /providers/{provider}`, as far as a form needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub name: String,
    pub display_name: String,
    pub auth_mode: String,
    /// It is installed from the provider's side: see [`NangoService::start_outbound`].
    pub outbound: bool,
    pub credentials: Vec<Field>,
    pub connection_config: Vec<Field>,
}

/// One field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Nango's name of it.
    pub name: String,
    pub title: String,
    pub description: String,
    pub example: Option<String>,
    /// A regular expression that Nango itself does not check.
    pub pattern: Option<String>,
    /// `hostname`, `uri`, `uuid` or `email`
    pub format: Option<String>,
    /// `string`, as far as Nango has ever said.
    pub kind: String,
    /// The values to choose from; empty where anything goes.
    pub options: Vec<String>,
    pub default_value: Option<String>,
    /// Shown before and after what is typed; not part of the value.
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub secret: bool,
    pub optional: bool,
    /// Nango finds it out by itself.
    pub automated: bool,
    /// Not to be shown.
    pub hidden: bool,
    pub order: Option<i64>,
    /// The part of the guide that explains it.
    pub doc_section: Option<String>,
}

impl Field {
    /// Whether a person is asked for it at all.
    pub const fn is_asked(&self) -> bool {
        !self.automated && !self.hidden
    }
}

impl NangoService {
    pub async fn provider(&self, provider: &str) -> Result<Provider, NangoError> {
        let segments = ["providers", provider];
        let answer: Data<Wire> = self.call(Call::get(&segments, &[]), NO_BODY).await?;
        let wire = answer.data;
        Ok(Provider {
            display_name: wire.display_name.unwrap_or_else(|| wire.name.clone()),
            name: wire.name,
            auth_mode: wire.auth_mode,
            outbound: wire.installation.as_deref() == Some("outbound"),
            credentials: wire.credentials.map(Fields::sorted).unwrap_or_default(),
            connection_config: wire
                .connection_config
                .map(Fields::sorted)
                .unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct Wire {
    name: String,
    auth_mode: String,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    installation: Option<String>,
    #[serde(default)]
    credentials: Option<Fields>,
    #[serde(default)]
    connection_config: Option<Fields>,
}

/// An object of fields. Its order counts where `order` says nothing, and a map would lose it.
struct Fields(Vec<Field>);

impl Fields {
    fn sorted(self) -> Vec<Field> {
        let mut fields = self.0;
        fields.sort_by_key(|field| field.order.unwrap_or(i64::MAX));
        fields
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    fields.push(field(name, &value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Nango's own types and its catalogue disagree here and there (`secret` is said to be a string,
/// and is a boolean): what is odd counts as not said.
fn field(name: String, value: &Value) -> Field {
    let text = |key: &str| match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let flag = |key: &str| text(key).as_deref() == Some("true");
    let options = value.get("enum").and_then(Value::as_array);
    Field {
        title: text("title").unwrap_or_else(|| name.clone()),
        description: text("description").unwrap_or_default(),
        example: text("example"),
        pattern: text("pattern"),
        format: text("format"),
        kind: text("type").unwrap_or_else(|| "string".to_owned()),
        options: options
            .into_iter()
            .flatten()
            .filter_map(|option| option.as_str().map(str::to_owned))
            .collect(),
        default_value: text("default_value"),
        prefix: text("prefix"),
        suffix: text("suffix"),
        secret: flag("secret"),
        optional: flag("optional"),
        automated: flag("automated"),
        hidden: flag("hidden"),
        order: value.get("order").and_then(Value::as_i64),
        doc_section: text("doc_section"),
        name,
    }
}
