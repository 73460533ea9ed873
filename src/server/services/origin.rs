//! From where a change comes: the address and program of the request that a service works for.
//!
//! A task's own value, set once around each request, because nothing that happens on the way may
//! depend on it: only the audit log reads it. What no request asked for has none.

use std::future::Future;

/// Personal data: it is written beside the audit log, never into it, and into no other log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as the trusted proxies tell it.
    pub address: Option<String>,
    /// `User-Agent`, cut to what is reasonable.
    pub user_agent: Option<String>,
}

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Does something on behalf of a request.
pub async fn scope<T>(origin: Origin, work: impl Future<Output = T>) -> T {
    ORIGIN.scope(origin, work).await
}

/// The request that is being worked for, if there is one.
pub fn current() -> Option<Origin> {
    ORIGIN.try_with(Clone::clone).ok()
}
