//! Elements in the page: how a description ([`Element`]) is made, taken over from the server's HTML
//! and laid over what is there. May import what components share.

use leptos::{
    attr::any_attribute::AnyAttribute,
    tachys::{
        html::attribute::Attribute,
        hydration::Cursor,
        renderer::{
            CastFrom, Rndr,
            types::{Element as DomElement, Node, Text as DomText},
        },
        view::{Mountable, Position, PositionState, Render, RenderHtml, add_attr::AddAnyAttr},
    },
};

use super::element::{Child, Element, Text};

/// An element as it is in the page.
pub struct ElementState {
    dom: DomElement,
    tag: &'static str,
    attributes: Vec<(&'static str, Text)>,
    children: Vec<ChildState>,
}

enum ChildState {
    Nothing,
    Text(DomText, Text),
    Element(ElementState),
}

impl ChildState {
    fn node(&self) -> Option<&Node> {
        match self {
            Self::Nothing => None,
            Self::Text(node, _) => Some(node),
            Self::Element(element) => Some(&element.dom),
        }
    }
}

impl ElementState {
    fn is_like(&self, new: &Element) -> bool {
        self.tag == new.0.tag && find(&self.attributes, "id") == new.id()
    }

    fn patch(&mut self, new: Element) {
        let new = *new.0;
        for (name, value) in &new.attributes {
            if find(&self.attributes, name) != Some(value) {
                Rndr::set_attribute(&self.dom, name, value);
            }
        }
        for (name, _) in &self.attributes {
            if find(&new.attributes, name).is_none() {
                Rndr::remove_attribute(&self.dom, name);
            }
        }
        self.attributes = new.attributes;
        let mut children = new.children;
        while children.len() < self.children.len() {
            children.push(Child::Nothing);
        }
        while self.children.len() < children.len() {
            self.children.push(ChildState::Nothing);
        }
        // From the last to the first, so that what a new node stands before is known.
        let mut next: Option<Node> = None;
        for (state, child) in self.children.iter_mut().zip(children).rev() {
            match (state, child) {
                (ChildState::Element(old), Child::Element(new)) if old.is_like(&new) => {
                    old.patch(new);
                    next = Some(Node::clone(&old.dom));
                }
                (ChildState::Text(node, old), Child::Text(new)) => {
                    if *old != new {
                        Rndr::set_text(node, &new);
                        *old = new;
                    }
                    next = Some(Node::clone(node));
                }
                (ChildState::Nothing, Child::Nothing) => {}
                (state, child) => {
                    let new = child.create();
                    if let Some(node) = new.node() {
                        Rndr::insert_node(&self.dom, node, next.as_ref());
                        next = Some(node.clone());
                    }
                    if let Some(node) = state.node() {
                        Rndr::remove(node);
                    }
                    *state = new;
                }
            }
        }
    }
}

impl Mountable for ElementState {
    fn unmount(&mut self) {
        Rndr::remove(&self.dom);
    }

    fn mount(&mut self, parent: &DomElement, marker: Option<&Node>) {
        Rndr::insert_node(parent, &self.dom, marker);
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        let parent = Rndr::get_parent(&self.dom).and_then(DomElement::cast_from);
        if let Some(parent) = &parent {
            child.mount(parent, Some(&self.dom));
        }
        parent.is_some()
    }

    fn elements(&self) -> Vec<DomElement> {
        vec![self.dom.clone()]
    }
}

impl Element {
    fn id(&self) -> Option<&Text> {
        find(&self.0.attributes, "id")
    }

    fn create(self) -> ElementState {
        let parts = *self.0;
        let svg = matches!(parts.tag, "svg" | "use");
        let dom = Rndr::create_element(parts.tag, svg.then_some("http://www.w3.org/2000/svg"));
        for (name, value) in &parts.attributes {
            Rndr::set_attribute(&dom, name, value);
        }
        let mut children = Vec::new();
        for child in parts.children {
            let child = child.create();
            if let Some(node) = child.node() {
                Rndr::insert_node(&dom, node, None);
            }
            children.push(child);
        }
        ElementState {
            dom,
            tag: parts.tag,
            attributes: parts.attributes,
            children,
        }
    }

    /// Takes over what the server rendered from the same description.
    fn adopt(self, dom: DomElement) -> ElementState {
        if !dom.tag_name().eq_ignore_ascii_case(self.0.tag) {
            // Not what this side would have rendered: its own rendering takes the place.
            let state = self.create();
            if let Some(parent) = Rndr::get_parent(&dom).and_then(DomElement::cast_from) {
                Rndr::insert_node(&parent, &state.dom, Some(&dom));
            }
            Rndr::remove(&dom);
            return state;
        }
        let parts = *self.0;
        let mut next = Rndr::first_child(&dom);
        let mut children = Vec::new();
        for child in parts.children {
            let here = match child {
                Child::Nothing => None,
                _ => next.take(),
            };
            if let Some(here) = &here {
                next = Rndr::next_sibling(here);
            }
            children.push(match (child, here) {
                (Child::Text(text), Some(here)) => match DomText::cast_from(here) {
                    Some(node) => ChildState::Text(node, text),
                    None => ChildState::Nothing,
                },
                (Child::Element(element), Some(here)) => match DomElement::cast_from(here) {
                    Some(dom) => ChildState::Element(element.adopt(dom)),
                    None => ChildState::Nothing,
                },
                _ => ChildState::Nothing,
            });
        }
        ElementState {
            dom,
            tag: parts.tag,
            attributes: parts.attributes,
            children,
        }
    }
}

fn find<'a>(attributes: &'a [(&'static str, Text)], name: &str) -> Option<&'a Text> {
    attributes
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

impl Child {
    fn create(self) -> ChildState {
        match self {
            Self::Nothing => ChildState::Nothing,
            Self::Text(text) => ChildState::Text(Rndr::create_text_node(&text), text),
            Self::Element(element) => ChildState::Element(element.create()),
        }
    }
}

impl Render for Element {
    type State = ElementState;

    fn build(self) -> ElementState {
        self.create()
    }

    fn rebuild(self, state: &mut ElementState) {
        if state.is_like(&self) {
            state.patch(self);
        } else {
            let mut new = self.create();
            state.insert_before_this(&mut new);
            state.unmount();
            *state = new;
        }
    }
}

impl AddAnyAttr for Element {
    type Output<A: Attribute> = Self;

    fn add_any_attr<A: Attribute>(self, _attr: A) -> Self {
        self
    }
}

impl RenderHtml for Element {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        _escape: bool,
        _mark_branches: bool,
        _extra_attrs: Vec<AnyAttribute>,
    ) {
        self.html(buf);
        *position = Position::NextChild;
    }

    fn hydrate<const FROM_SERVER: bool>(
        self,
        cursor: &Cursor,
        position: &PositionState,
    ) -> ElementState {
        match position.get() {
            Position::FirstChild => cursor.child(),
            Position::Current => {}
            _ => cursor.sibling(),
        }
        let state = match DomElement::cast_from(cursor.current()) {
            Some(dom) => self.adopt(dom),
            None => self.create(),
        };
        cursor.set(Node::clone(&state.dom));
        position.set(Position::NextChild);
        state
    }

    fn into_owned(self) -> Self {
        self
    }
}
