//! A list of rows that keep their elements when their order or number changes. May import nothing
//! of ours.
//!
//! It does what Leptos' `For` does, for less: rows are one element each, fill their parent alone,
//! and are known by a number. `For` finds the fewest moves between any two orders of anything,
//! which is more WASM than this whole file.

use std::sync::Arc;

use leptos::{
    attr::any_attribute::AnyAttribute,
    prelude::Owner,
    tachys::{
        html::attribute::Attribute,
        hydration::Cursor,
        renderer::{
            CastFrom, Rndr,
            types::{Element as DomElement, Node},
        },
        view::{Mountable, Position, PositionState, Render, RenderHtml, add_attr::AddAnyAttr},
    },
};

/// The rows that `keys` names, in its order; `row` makes one. A row lives as long as it is named.
pub fn rows<V: RenderHtml + 'static>(
    keys: impl Fn() -> Vec<usize> + Send + 'static,
    row: impl Fn(usize) -> V + Send + Sync + 'static,
) -> impl FnMut() -> Rows<V> + Send + 'static {
    // Rows belong to the list, not to one run of it.
    let owner = Owner::current().unwrap_or_default();
    let row: Arc<dyn Fn(usize) -> V + Send + Sync> = Arc::new(row);
    move || Rows {
        keys: keys(),
        row: row.clone(),
        owner: owner.clone(),
    }
}

/// What rows there shall be.
pub struct Rows<V> {
    keys: Vec<usize>,
    row: Arc<dyn Fn(usize) -> V + Send + Sync>,
    owner: Owner,
}

/// The rows that there are.
pub struct RowsState<S> {
    /// Known once they are in the page.
    parent: Option<DomElement>,
    rows: Vec<Row<S>>,
}

struct Row<S> {
    key: usize,
    state: S,
    /// Held, as what the row follows ends with it; dropped after the row itself.
    _owner: Owner,
}

impl<V: RenderHtml> Rows<V> {
    /// Makes the row of a key, with an owner of its own.
    fn make<S>(&self, key: usize, render: impl FnOnce(V) -> S) -> Row<S> {
        let owner = self.owner.with(Owner::new);
        let state = owner.with(|| render((self.row)(key)));
        Row {
            key,
            state,
            _owner: owner,
        }
    }
}

impl<S: Mountable> RowsState<S> {
    /// Puts every row where it belongs; what is there already is not touched.
    fn arrange(&mut self) {
        let Some(parent) = &self.parent else {
            return;
        };
        let mut next: Option<Node> = None;
        for row in self.rows.iter_mut().rev() {
            let Some(element) = row.state.elements().into_iter().next() else {
                continue;
            };
            let there =
                Rndr::get_parent(&element).is_some() && Rndr::next_sibling(&element) == next;
            if !there {
                row.state.mount(parent, next.as_ref());
            }
            next = Some(element.into());
        }
    }
}

impl<V: RenderHtml> Render for Rows<V> {
    type State = RowsState<V::State>;

    fn build(self) -> Self::State {
        let rows = self.keys.iter().map(|key| self.make(*key, V::build));
        RowsState {
            parent: None,
            rows: rows.collect(),
        }
    }

    fn rebuild(self, state: &mut Self::State) {
        let mut old = std::mem::take(&mut state.rows);
        for key in &self.keys {
            let known = old.iter().position(|row| row.key == *key);
            state.rows.push(match known {
                Some(at) => old.swap_remove(at),
                None => self.make(*key, V::build),
            });
        }
        for mut row in old {
            row.state.unmount();
        }
        state.arrange();
    }
}

impl<S: Mountable> Mountable for RowsState<S> {
    fn unmount(&mut self) {
        for row in &mut self.rows {
            row.state.unmount();
        }
        self.parent = None;
    }

    fn mount(&mut self, parent: &DomElement, _marker: Option<&Node>) {
        self.parent = Some(parent.clone());
        self.arrange();
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.rows
            .first()
            .is_some_and(|row| row.state.insert_before_this(child))
    }

    fn elements(&self) -> Vec<DomElement> {
        self.rows
            .iter()
            .flat_map(|row| row.state.elements())
            .collect()
    }
}

impl<V: RenderHtml + 'static> AddAnyAttr for Rows<V> {
    type Output<A: Attribute> = Self;

    fn add_any_attr<A: Attribute>(self, _attr: A) -> Self::Output<A> {
        self
    }
}

impl<V: RenderHtml + 'static> RenderHtml for Rows<V> {
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
        escape: bool,
        mark_branches: bool,
        _extra_attrs: Vec<AnyAttribute>,
    ) {
        for key in &self.keys {
            self.make(*key, |row| {
                row.to_html_with_buf(buf, position, escape, mark_branches, Vec::new());
            });
        }
    }

    fn hydrate<const FROM_SERVER: bool>(
        self,
        cursor: &Cursor,
        position: &PositionState,
    ) -> Self::State {
        // They are their parent's only content, so the cursor is still there.
        let parent = DomElement::cast_from(cursor.current());
        let hydrate = |row: V| row.hydrate::<FROM_SERVER>(cursor, position);
        let rows = self.keys.iter().map(|key| self.make(*key, hydrate));
        RowsState {
            rows: rows.collect(),
            parent,
        }
    }

    fn into_owned(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::element::el;

    #[test]
    fn rows_are_rendered_in_their_order() {
        Owner::new().with(|| {
            let list = rows(|| vec![2, 0], |key| el("li").child(key.to_string()));
            assert_eq!(list.to_html(), "<li>2</li><li>0</li>");
        });
    }
}
