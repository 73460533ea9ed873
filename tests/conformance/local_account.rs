//! `db::local_account`.

use patchbay::server::db::local_account::{self, Row};

use crate::fixture::{T0, after, another_person};

on_both! {
    async fn an_account_is_made_found_and_forgotten(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, eve) = (another_person(&mut tx).await, another_person(&mut tx).await);
        let row = |user_id, email: &str| Row {
            user_id,
            email: email.to_owned(),
            password_hash: "$argon2id$one".to_owned(),
            changed_at: T0,
        };
        let of_ada = row(ada, "ada@example.com");
        assert!(local_account::insert(&mut tx, &of_ada).await.unwrap());
        assert!(!local_account::insert(&mut tx, &row(eve, "ada@example.com")).await.unwrap(), "taken");
        assert!(local_account::insert(&mut tx, &row(eve, "eve@example.com")).await.unwrap());
        assert_eq!(local_account::by_email(&mut tx, "ada@example.com").await.unwrap(), Some(of_ada.clone()));
        assert_eq!(local_account::by_email(&mut tx, "Ada@example.com").await.unwrap(), None);
        assert_eq!(local_account::of_user(&mut tx, ada).await.unwrap(), Some(of_ada.clone()));

        local_account::rehash(&mut tx, ada, "$argon2id$two").await.unwrap();
        let rehashed = Row { password_hash: "$argon2id$two".to_owned(), ..of_ada };
        assert_eq!(local_account::of_user(&mut tx, ada).await.unwrap(), Some(rehashed.clone()));
        local_account::set_password(&mut tx, ada, "$argon2id$three", after(7)).await.unwrap();
        let changed = Row { password_hash: "$argon2id$three".to_owned(), changed_at: after(7), ..rehashed };
        assert_eq!(local_account::of_user(&mut tx, ada).await.unwrap(), Some(changed));

        local_account::delete(&mut tx, ada).await.unwrap();
        assert_eq!(local_account::of_user(&mut tx, ada).await.unwrap(), None);
        let of_eve = local_account::of_user(&mut tx, eve).await.unwrap();
        assert_eq!(of_eve, Some(row(eve, "eve@example.com")), "hers stays as it was");
    }
}

#[test]
fn a_hash_is_printed_nowhere() {
    let row = Row {
        user_id: uuid::Uuid::nil(),
        email: "ada@example.com".to_owned(),
        password_hash: "$argon2id$secret".to_owned(),
        changed_at: T0,
    };
    assert!(!format!("{row:?}").contains("secret"));
}
