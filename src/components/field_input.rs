//! A field that a connector asks for, checked as it is typed. May import `domain`, `browser` and
//! what components share.

use super::element::{Element, el};
use crate::{browser::document, domain::connector::Field};

/// What is wrong with the value, if anything. The server checks again.
pub fn check(field: &Field, value: &str) -> Option<String> {
    let value = value.trim();
    let fine = if value.is_empty() {
        field.optional
    } else {
        field
            .pattern
            .as_ref()
            .is_none_or(|pattern| document::matches(pattern, value))
    };
    (!fine).then(|| field.refusal(value))
}

/// `name` is the field's name in the form: `input.subdomain`.
pub fn field_view(field: &Field, name: String, value: Option<&str>, error: String) -> Element {
    let id = format!("field-{name}");
    let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
    // Of what was typed only what anybody may see comes back.
    let value = value.filter(|_| !field.secret);
    let tag = if !field.options.is_empty() {
        "select"
    } else if field.multiline {
        "textarea"
    } else {
        "input"
    };
    let control = el(tag)
        .attr("id", id.clone())
        .attr("name", name)
        .attr("required", !field.optional)
        .attr("aria-describedby", format!("{error_id} {help_id}"))
        .attr("aria-invalid", (!error.is_empty()).then_some("true"));
    let control = if tag == "select" {
        // Without a word for “none of them” the first would be chosen unasked.
        let none = field.optional.then(|| el("option").attr("value", ""));
        let options = field.options.iter().map(|option| {
            el("option")
                .attr("value", option.clone())
                .attr("selected", value == Some(option))
                .child(option.clone())
        });
        control.children(none.into_iter().chain(options))
    } else {
        let control = control
            .attr("placeholder", field.example.clone())
            .attr("autocomplete", "off")
            .attr("autocapitalize", "none")
            .attr("spellcheck", "false");
        if field.multiline {
            control
                .attr("rows", "4")
                .class(field.secret.then_some("secret"))
        } else {
            control
                .attr("type", if field.secret { "password" } else { "text" })
                .attr("value", value.map(str::to_owned))
                .attr("pattern", field.pattern.clone())
        }
    };
    let affix = |words: &String| el("span").class("affix").child(words.clone());
    let reveal = || {
        el("button")
            .attr("type", "button")
            .class("affix")
            .attr("data-do", "reveal")
            .attr("aria-pressed", "false")
            .attr("aria-label", "Show what I type")
            .child("Show")
    };
    let mut label = field.label.clone();
    if field.optional {
        label.push_str(" (optional)");
    }
    el("div")
        .class("field")
        .child(el("label").attr("for", id).child(label))
        .child(
            el("div")
                .class("box")
                .child(field.prefix.as_ref().map(affix))
                .child(control)
                .child((field.secret && tag == "input").then(reveal))
                .child(field.suffix.as_ref().map(affix)),
        )
        .child(el("p").class("error").attr("id", error_id).child(error))
        .child(
            el("p")
                .class("help")
                .attr("id", help_id)
                .child(field.help.clone()),
        )
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml;

    use super::*;

    fn shown(field: &Field) -> String {
        let view = field_view(
            field,
            "credential.x".to_owned(),
            Some("typed"),
            String::new(),
        );
        view.to_html()
    }

    #[test]
    fn a_secret_never_comes_back() {
        let mut field = Field {
            label: "Key".to_owned(),
            ..Field::default()
        };
        assert!(shown(&field).contains("value=\"typed\""));
        field.secret = true;
        for multiline in [false, true] {
            field.multiline = multiline;
            let html = shown(&field);
            assert!(!html.contains("typed"), "{html}");
            assert!(html.contains("autocomplete=\"off\""), "{html}");
            assert_eq!(html.contains("</textarea>"), multiline, "{html}");
            assert_eq!(html.contains("type=\"password\""), !multiline, "{html}");
        }
    }

    #[test]
    fn a_list_may_be_left_alone_where_it_is_optional() {
        let mut field = Field {
            label: "Region".to_owned(),
            options: vec!["eu".to_owned(), "us".to_owned()],
            ..Field::default()
        };
        assert!(!shown(&field).contains("<option value=\"\">"));
        field.optional = true;
        let html = shown(&field);
        assert!(html.contains("Region (optional)"), "{html}");
        assert!(
            html.contains("<option value=\"\"></option><option value=\"eu\">"),
            "{html}"
        );
    }
}
