//! Views as plain data, all of one type. May import nothing of ours.
//!
//! `view!` gives each element a type of its own, and each type its own code for making, adopting
//! and changing it: about a kilobyte of WASM for every part that changes. What changes in the
//! browser is therefore described with [`el`], in the manner of Leptos' builder syntax, and that
//! machinery exists once (`element_state`). The frame around it stays `view!`, and signals and effects are
//! Leptos' own: a part that changes is a closure ([`dynamic`]).
//!
//! A new description is laid over what is there, child by child: an element keeps its DOM node,
//! and so focus and what was typed, while its tag, its `id` and its place among its parent's
//! children stay the same. A child that is absent ([`None`], empty text) keeps its place. Two texts
//! never stand side by side: in HTML they would be one.

use std::borrow::Cow;

/// Mostly known when this is compiled.
pub(super) type Text = Cow<'static, str>;

/// A part of a view that follows the signals it reads.
pub type Dynamic = Box<dyn FnMut() -> Element + Send>;

/// A part of a view that follows the signals it reads.
pub fn dynamic(part: impl FnMut() -> Element + Send + 'static) -> Dynamic {
    Box::new(part)
}

/// What an element shall look like.
///
/// Boxed: it is handed from call to call while it is described, and a pointer makes less code.
pub struct Element(pub(super) Box<Parts>);

pub(super) struct Parts {
    pub tag: &'static str,
    pub attributes: Vec<(&'static str, Text)>,
    pub children: Vec<Child>,
}

/// What stands inside an element.
pub enum Child {
    Nothing,
    Text(Text),
    Element(Element),
}

/// A new element.
pub fn el(tag: &'static str) -> Element {
    Element(Box::new(Parts {
        tag,
        attributes: Vec::new(),
        children: Vec::new(),
    }))
}

impl Element {
    /// Sets an attribute; `None` and `false` leave it out.
    pub fn attr(self, name: &'static str, value: impl Value) -> Self {
        self.set(name, value.text())
    }

    fn set(mut self, name: &'static str, value: Option<Text>) -> Self {
        if let Some(value) = value {
            self.0.attributes.push((name, value));
        }
        self
    }

    pub fn class(self, value: impl Value) -> Self {
        self.attr("class", value)
    }

    pub fn child(self, child: impl Into<Child>) -> Self {
        self.push(child.into())
    }

    fn push(mut self, child: Child) -> Self {
        debug_assert!(
            !matches!(child, Child::Text(_)) || !self.ends_in_text(),
            "two texts side by side"
        );
        self.0.children.push(child);
        self
    }

    fn ends_in_text(&self) -> bool {
        let mut there = self.0.children.iter().rev();
        let last = there.find(|child| !matches!(child, Child::Nothing));
        matches!(last, Some(Child::Text(_)))
    }

    /// Several children, behind which no other comes: their number may change.
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        for child in children {
            self = self.push(Child::Element(child));
        }
        self
    }

    /// As the server sends it.
    pub fn html(&self, into: &mut String) {
        into.push('<');
        into.push_str(self.0.tag);
        for (name, value) in &self.0.attributes {
            into.push(' ');
            into.push_str(name);
            into.push_str("=\"");
            escape(value, into);
            into.push('"');
        }
        into.push('>');
        // The one void element that is used.
        if self.0.tag == "input" {
            return;
        }
        for child in &self.0.children {
            match child {
                Child::Nothing => {}
                Child::Text(text) => escape(text, into),
                Child::Element(element) => element.html(into),
            }
        }
        into.push_str("</");
        into.push_str(self.0.tag);
        into.push('>');
    }
}

/// In runs: letter by letter takes several times as long, and a page is full of text.
fn escape(text: &str, into: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => continue,
        };
        into.push_str(text.get(from..at).unwrap_or_default());
        into.push_str(entity);
        from = at + 1;
    }
    into.push_str(text.get(from..).unwrap_or_default());
}

impl From<Element> for Child {
    fn from(element: Element) -> Self {
        Self::Element(element)
    }
}

impl From<Text> for Child {
    fn from(text: Text) -> Self {
        // Empty text leaves no node in the server's HTML.
        if text.is_empty() {
            Self::Nothing
        } else {
            Self::Text(text)
        }
    }
}

impl From<&'static str> for Child {
    fn from(text: &'static str) -> Self {
        Text::Borrowed(text).into()
    }
}

impl From<String> for Child {
    fn from(text: String) -> Self {
        Text::Owned(text).into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Child {
    fn from(child: Option<T>) -> Self {
        child.map_or(Self::Nothing, Into::into)
    }
}

/// What an attribute may be set to.
pub trait Value {
    fn text(self) -> Option<Text>;
}

impl Value for &'static str {
    fn text(self) -> Option<Text> {
        Some(Text::Borrowed(self))
    }
}

impl Value for String {
    fn text(self) -> Option<Text> {
        Some(Text::Owned(self))
    }
}

impl Value for bool {
    fn text(self) -> Option<Text> {
        self.then_some(Text::Borrowed(""))
    }
}

impl<T: Value> Value for Option<T> {
    fn text(self) -> Option<Text> {
        self.and_then(Value::text)
    }
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml;

    use super::*;

    #[test]
    fn text_and_values_are_escaped() {
        let view = el("p")
            .attr("title", "\"<&>\"".to_owned())
            .attr("hidden", false)
            .child("<b> & so on".to_owned());
        assert_eq!(
            view.to_html(),
            "<p title=\"&quot;&lt;&amp;&gt;&quot;\">&lt;b&gt; &amp; so on</p>"
        );
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let view = el("div")
            .attr("hidden", true)
            .attr("class", None::<&str>)
            .child("")
            .child(None::<Element>)
            .child(el("input").attr("value", ""));
        assert_eq!(view.to_html(), "<div hidden=\"\"><input value=\"\"></div>");
    }
}
