//! A connector's mark in its tile: a symbol of the icons file, or a monogram. May import `domain`
//! and what components share.

use super::element::{Child, Element, el};
use crate::domain::connector::Connector;

/// The tile with the mark, in the brand's colour as far as the ground allows (the style sheet keeps
/// it visible in both themes; which colour that is, a sheet of the server's says, for a page may have
/// no styles of its own); decoration, the name stands beside it.
pub fn icon_view(connector: &Connector, icons: &str) -> Element {
    let color = connector.icon.color.as_ref();
    let brand = color.map(|_| connector.slug.clone());
    let mark: Child = match &connector.icon.monogram {
        Some(monogram) => monogram.clone().into(),
        None => el("svg")
            .class("icon")
            .attr("viewBox", "0 0 24 24")
            .child(el("use").attr("href", format!("{icons}#{}", connector.slug)))
            .into(),
    };
    el("span")
        .class("tile")
        .attr("data-brand", brand)
        .attr("aria-hidden", "true")
        .child(mark)
}
