//! What the test binaries share. A binary takes it with
//! `#[macro_use] #[path = "../support/mod.rs"] mod support;`.

pub mod db;

/// Turns each `async fn case(db: &TestDb)` into two tests, `case::sqlite` and `case::postgres`,
/// each with a fresh, migrated database.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($db:ident: &TestDb) $body:block)*) => {$(
        $(#[doc = $doc])*
        mod $name {
            use super::*;

            async fn case($db: &$crate::support::db::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case(&$crate::support::db::TestDb::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let db = $crate::support::db::TestDb::postgres().await;
                case(&db).await;
                db.assert_no_named_statements().await;
            }
        }
    )*};
}
