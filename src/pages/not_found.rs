//! The page for an address that leads nowhere. May import `domain` and `app`'s context types.

use leptos::prelude::*;

use super::frame::problem_page;
use crate::{app::StatusSetter, domain::problem::Problem};

#[component]
pub fn NotFound() -> impl IntoView {
    let problem = Problem::new(
        404,
        "page_unknown",
        "There is no page at this address.",
        "It may have moved, or the link is mistyped.",
    );
    problem_page(&problem, use_context::<StatusSetter>().as_ref())
}
