//! The server's side of `browser`: the same names, doing nothing, so that components compile for
//! both. Handlers and effects never run while a page is rendered; only `store::shared`,
//! `api::page_data` and `document::lower` do.

pub mod api {
    use leptos::prelude::use_context;
    use uuid::Uuid;

    use crate::domain::{
        attempt::{AttemptStatus, Started},
        connection::Connection,
        page::DetailsAnswer,
        problem::Problem,
    };

    /// What the page hands to its island.
    pub fn page_data<T: Clone + 'static>() -> Option<T> {
        use_context::<T>()
    }

    pub async fn connect(
        _slug: &str,
        _connection: Option<Uuid>,
        _inputs: &[(String, String)],
        _credentials: &[(String, String)],
    ) -> Result<Started, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn disconnect(_slug: &str, _connection: Uuid) -> Result<Connection, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn rename(_connection: Uuid, _name: &str) -> Result<Connection, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn finish(
        _attempt: Uuid,
        _failure: Option<[String; 2]>,
    ) -> Result<AttemptStatus, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn attempt(_attempt: Uuid) -> Result<AttemptStatus, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn cancel(_attempt: Uuid) -> Result<AttemptStatus, Problem> {
        Err(Problem::unreachable())
    }
    pub async fn details(_slug: &str) -> Result<DetailsAnswer, Problem> {
        Err(Problem::unreachable())
    }
}

pub mod store {
    use leptos::prelude::{provide_context, use_context};

    /// The request's value. Never a static: that would leak between people.
    pub fn shared<T: Clone + Send + Sync + 'static>(make: impl FnOnce() -> T) -> T {
        use_context::<T>().unwrap_or_else(|| {
            let value = make();
            provide_context(value.clone());
            value
        })
    }
}

pub mod timers {
    use std::future::Future;

    pub fn sleep(_ms: i32) -> std::future::Ready<()> {
        std::future::ready(())
    }

    pub fn spawn(task: impl Future<Output = ()> + 'static) {
        drop(task);
    }

    pub const fn clock_ms() -> i64 {
        0
    }
}

pub mod history {
    pub const fn address() -> (String, String) {
        (String::new(), String::new())
    }
    pub const fn push(_url: &str) {}
    pub const fn replace(_url: &str) {}
    pub const fn back() {}
    pub fn on_move(f: impl Fn() + 'static) {
        drop(f);
    }
    pub const fn reload() {}
}

pub mod document {
    use leptos::web_sys::Event;

    pub struct Action {
        pub name: String,
        pub slug: String,
        pub value: String,
        pub href: String,
    }

    pub fn listen(_selector: &str, f: impl Fn(&str, &Event) + 'static) {
        drop(f);
    }
    pub const fn action(_event: &Event) -> Option<Action> {
        None
    }
    pub const fn field(_event: &Event) -> Option<(String, String)> {
        None
    }
    pub const fn form_id(_event: &Event) -> String {
        String::new()
    }
    pub const fn value_of(_selector: &str) -> String {
        String::new()
    }
    pub const fn set_value(_selector: &str, _value: &str) {}
    pub const fn fold(_selector: &str) {}
    pub fn lower(text: &str) -> String {
        text.to_lowercase()
    }
    pub const fn matches(_pattern: &str, _value: &str) -> bool {
        true
    }
    pub const fn end_outage() {}
    pub const fn reveal(_event: &Event) {}
    pub const fn conceal() {}
    pub const fn focus(_selector: &str) {}
    pub const fn rescue_focus(_selector: &str) {}
    pub const fn set_title(_name: &str) {}
    pub const fn open_dialog() {}
    pub const fn close_dialog() {}
    pub const fn on_backdrop(_event: &Event) -> bool {
        false
    }
    pub const fn slash_focuses(_selector: &'static str) {}
}

pub mod popup {
    pub const fn open(_slug: &str, _text: &str) -> bool {
        false
    }
    pub const fn navigate(_slug: &str, _url: &str, _attempt: &str) -> bool {
        false
    }
    pub const fn resume(_slug: &str, _url: &str, _attempt: &str) -> bool {
        false
    }
    pub const fn closed(_slug: &str) -> bool {
        true
    }
    pub const fn close(_slug: &str) {}
    pub fn on_hint(f: impl Fn(String, Option<[String; 2]>) + 'static) {
        drop(f);
    }
}

pub mod live {
    use crate::domain::event::Event;

    pub enum Message {
        Event(Event),
        Bye,
        Down(bool),
    }

    pub fn follow(deliver: impl Fn(Message) + 'static) {
        drop(deliver);
    }
}
