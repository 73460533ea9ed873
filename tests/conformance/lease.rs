//! `db::lease`.

use patchbay::server::db::lease;

use crate::fixture::{T0, after, id};

on_both! {
    async fn one_holder_at_a_time(db: &TestDb) {
        let (ours, theirs) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        assert!(lease::take(&mut tx, "work", ours, after(100), T0).await.unwrap());
        assert!(!lease::take(&mut tx, "work", theirs, after(150), after(50)).await.unwrap());
        assert!(lease::take(&mut tx, "other work", theirs, after(150), after(50)).await.unwrap());
        // Renewed by its holder, then not renewed any more.
        assert!(lease::take(&mut tx, "work", ours, after(200), after(90)).await.unwrap());
        assert!(!lease::take(&mut tx, "work", theirs, after(299), after(199)).await.unwrap());
        assert!(lease::take(&mut tx, "work", theirs, after(300), after(200)).await.unwrap());
        assert!(!lease::take(&mut tx, "work", ours, after(300), after(201)).await.unwrap());
    }

    async fn it_is_given_back_by_its_holder_alone(db: &TestDb) {
        let (ours, theirs) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        assert!(lease::take(&mut tx, "work", ours, after(100), T0).await.unwrap());
        lease::release(&mut tx, "work", theirs).await.unwrap();
        assert!(!lease::take(&mut tx, "work", theirs, after(100), T0).await.unwrap());
        lease::release(&mut tx, "work", ours).await.unwrap();
        assert!(lease::take(&mut tx, "work", theirs, after(100), T0).await.unwrap());
        lease::clear(&mut tx).await.unwrap();
        assert!(lease::take(&mut tx, "work", ours, after(100), T0).await.unwrap());
    }
}
