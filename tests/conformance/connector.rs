//! `db::connector`.

use patchbay::server::db::{Tx, connector};

use crate::fixture::{T0, after, connector_row, texts};

async fn updated(tx: &mut Tx) -> Vec<String> {
    texts(
        tx,
        "SELECT slug || ' ' || updated_at FROM connector ORDER BY slug",
        "SELECT slug || ' ' || to_char(updated_at, 'YYYY-MM-DD\"T\"HH24:MI:SS+00:00') \
         FROM connector ORDER BY slug",
    )
    .await
}

on_both! {
    async fn the_table_follows_the_manifests(db: &TestDb) {
        let (gmail, mut slack) = (connector_row("gmail"), connector_row("slack"));
        let mut tx = db.db.write().await.unwrap();
        connector::sync(&mut tx, &[slack.clone(), gmail.clone()], T0).await.unwrap();
        assert_eq!(connector::all(&mut tx).await.unwrap(), [gmail.clone(), slack.clone()]);

        // One is gone, one renamed and disabled, one new.
        slack.name = "Slack “new”".to_owned();
        slack.enabled = false;
        let box_ = connector_row("box");
        connector::sync(&mut tx, &[box_.clone(), slack.clone()], after(60_000)).await.unwrap();
        let gone = connector::NewConnector { enabled: false, ..gmail.clone() };
        assert_eq!(
            connector::all(&mut tx).await.unwrap(),
            [box_.clone(), gone, slack.clone()]
        );

        // It comes back.
        connector::sync(&mut tx, &[box_.clone(), gmail.clone(), slack.clone()], after(120_000))
            .await
            .unwrap();
        assert_eq!(connector::all(&mut tx).await.unwrap(), [box_, gmail, slack]);
        // Rows that said the same already were left alone.
        assert_eq!(
            updated(&mut tx).await,
            [
                "box 2026-11-22T13:35:50+00:00",
                "gmail 2026-11-22T13:36:50+00:00",
                "slack 2026-11-22T13:35:50+00:00",
            ]
        );
    }

    async fn no_manifests_disable_everything(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        connector::sync(&mut tx, &[connector_row("gmail")], T0).await.unwrap();
        connector::sync(&mut tx, &[], T0).await.unwrap();
        let all = connector::all(&mut tx).await.unwrap();
        assert_eq!(all.len(), 1);
        assert!(all.iter().all(|c| !c.enabled));
    }

    async fn a_thousand_take_one_call(db: &TestDb) {
        let many: Vec<_> = (0..1000).map(|i| connector_row(&format!("c{i:04}"))).collect();
        let mut tx = db.db.write().await.unwrap();
        connector::sync(&mut tx, &many, T0).await.unwrap();
        assert_eq!(connector::all(&mut tx).await.unwrap(), many);
    }

    async fn instances_with_different_manifests_start_at_once(db: &TestDb) {
        // Each order of rows that could deadlock: every instance has its own.
        let tasks: Vec<_> = (0..10)
            .map(|i| {
                let db = db.db.clone();
                tokio::spawn(async move {
                    let mut list: Vec<_> =
                        (0..200).map(|j| connector_row(&format!("c{j:03}"))).collect();
                    list.rotate_left(i * 17);
                    list.truncate(150);
                    let mut tx = db.write().await?;
                    connector::sync(&mut tx, &list, T0).await?;
                    tx.commit().await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(connector::all(&mut tx).await.unwrap().iter().filter(|c| c.enabled).count(), 150);
    }
}
