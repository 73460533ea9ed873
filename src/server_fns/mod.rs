//! Server functions: a few lines each, one call into a service. Pages call them while they are
//! rendered; what people do in the browser goes to REST, which calls the same services.
//!
//! May import `domain`; bodies run on the server only and see `server::state` and the services.
//! Endpoints are named, not hashed: two versions of the server may run side by side.

pub mod codec;
pub mod history;
pub mod pages;
