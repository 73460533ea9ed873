//! One value for all islands of the page: sibling islands share no reactive context, but they live
//! in one WASM module and so in one thread.

use std::{any::Any, cell::RefCell};

thread_local! {
    static STORE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// The page's value, made on first use.
pub fn shared<T: Clone + 'static>(make: impl FnOnce() -> T) -> T {
    STORE.with_borrow_mut(|store| {
        if let Some(value) = store.as_ref().and_then(|value| value.downcast_ref::<T>()) {
            return value.clone();
        }
        let value = make();
        *store = Some(Box::new(value.clone()));
        value
    })
}
