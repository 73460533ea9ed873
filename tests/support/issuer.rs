//! An issuer of a test's own: a small OpenID Connect provider and key set on a loopback port, which
//! says whatever the test wants it to say.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use p256::pkcs8::EncodePrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// The client that is registered here.
pub const CLIENT: &str = "patchbay-client";
pub const CLIENT_SECRET: &str = "s3cr3t-of-the-client-hunter2";

/// A key pair.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub algorithm: Algorithm,
    pair: EncodingKey,
}

impl Key {
    /// RSA; always the same pair, because making one takes long.
    pub fn rsa(id: &str) -> Self {
        static PAIR: OnceLock<Vec<u8>> = OnceLock::new();
        let der = PAIR.get_or_init(|| {
            let pair = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048);
            let der = pair.expect("a key").to_pkcs1_der().expect("DER");
            der.as_bytes().to_vec()
        });
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::RS256,
            pair: EncodingKey::from_rsa_der(der),
        }
    }

    /// P-256, a new pair each time.
    pub fn ec(id: &str) -> Self {
        let pair = p256::SecretKey::random(&mut rsa::rand_core::OsRng);
        let der = pair.to_pkcs8_der().expect("DER");
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::ES256,
            pair: EncodingKey::from_ec_der(der.as_bytes()),
        }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.pair, self.algorithm).expect("a JWK");
        jwk.common.key_id = Some(self.id.clone());
        let mut value = serde_json::to_value(&jwk).expect("JSON");
        value["use"] = json!("sig");
        value
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        header
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    pub fn sign_as(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.pair).expect("a token")
    }
}

/// Base64url without padding (RFC 7515, appendix C).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a code stands for, until it is exchanged.
struct Grant {
    challenge: String,
    redirect: String,
    token: Option<String>,
}

#[derive(Default)]
struct Book {
    base: String,
    keys: Vec<Key>,
    grants: HashMap<String, Grant>,
    /// What the discovery document says otherwise.
    document: serde_json::Map<String, Value>,
    userinfo: Option<Value>,
    discoveries: u32,
    key_fetches: u32,
    /// Everything secret that went over the wire.
    secrets: Vec<String>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Book>>);

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Issuer {
    pub base: String,
    shared: Shared,
    task: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Issuer {
    pub async fn start(key: &Key) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Self::on(listener, port, key)
    }

    /// Answers from now on, at a port where nobody did.
    pub async fn start_at(port: u16, key: &Key) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        Self::on(listener.expect("the port"), port, key)
    }

    fn on(listener: TcpListener, port: u16, key: &Key) -> Self {
        let base = format!("http://127.0.0.1:{port}");
        let shared = Shared(Arc::new(Mutex::new(Book {
            base: base.clone(),
            keys: vec![key.clone()],
            ..Book::default()
        })));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks.json", get(jwks))
            .route("/token", post(token))
            .route("/me", get(userinfo))
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        Self { base, shared, task }
    }

    /// Nobody answers any more.
    pub async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The keys that are published from now on.
    pub fn publish(&self, keys: &[&Key]) {
        self.shared.book().keys = keys.iter().map(|key| (*key).clone()).collect();
    }

    /// The discovery document says this, too.
    pub fn says(&self, name: &str, value: Value) {
        self.shared.book().document.insert(name.to_owned(), value);
    }

    /// What the userinfo endpoint says.
    pub fn tells(&self, userinfo: Value) {
        self.shared.book().userinfo = Some(userinfo);
    }

    /// How often discovery and keys were asked for.
    pub fn fetches(&self) -> (u32, u32) {
        let book = self.shared.book();
        (book.discoveries, book.key_fetches)
    }

    /// Everything that may stand in no log.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.book().secrets.clone()
    }

    /// The person has allowed the sign-in that `location` asks for: the code. It will be exchanged
    /// for this ID token.
    pub fn grant(&self, location: &str, code: &str, token: Option<String>) {
        let query = query(location);
        let grant = Grant {
            challenge: query["code_challenge"].clone(),
            redirect: query["redirect_uri"].clone(),
            token: token.clone(),
        };
        let mut book = self.shared.book();
        book.secrets.extend(token);
        book.secrets.push(code.to_owned());
        book.grants.insert(code.to_owned(), grant);
    }
}

/// The query of an address.
pub fn query(location: &str) -> HashMap<String, String> {
    let url = Url::parse(location).expect("an address");
    url.query_pairs().into_owned().collect()
}

async fn discovery(State(shared): State<Shared>) -> Json<Value> {
    let mut book = shared.book();
    book.discoveries += 1;
    let base = &book.base;
    let mut document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/me"),
        "jwks_uri": format!("{base}/jwks.json"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
    });
    for (name, value) in &book.document {
        document[name] = value.clone();
    }
    Json(document)
}

async fn jwks(State(shared): State<Shared>) -> Json<Value> {
    let mut book = shared.book();
    book.key_fetches += 1;
    let mut keys: Vec<Value> = book.keys.iter().map(Key::jwk).collect();
    // What nobody understands harms nobody.
    keys.push(json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "new", "pub": "AAAA"}));
    Json(json!({ "keys": keys }))
}

async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let mut book = shared.book();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let refuse = |error: &str| {
        let said = json!({"error": error, "error_description": format!("no {}", field("code"))});
        (StatusCode::BAD_REQUEST, Json(said))
    };
    let authorized = headers.get("authorization").and_then(|v| v.to_str().ok());
    if authorized.is_none_or(|value| !value.starts_with("Basic ")) {
        return refuse("invalid_client");
    }
    book.secrets.push(field("code_verifier"));
    let Some(grant) = book.grants.remove(&field("code")) else {
        return refuse("invalid_grant");
    };
    let challenge = base64url(&Sha256::digest(field("code_verifier")));
    if field("grant_type") != "authorization_code"
        || challenge != grant.challenge
        || field("redirect_uri") != grant.redirect
    {
        return refuse("invalid_grant");
    }
    let access = "an-access-token-hunter2";
    book.secrets.push(access.to_owned());
    let mut answer = json!({"access_token": access, "token_type": "Bearer", "expires_in": 60});
    if let Some(token) = grant.token {
        answer["id_token"] = json!(token);
    }
    (StatusCode::OK, Json(answer))
}

async fn userinfo(State(shared): State<Shared>) -> Result<Json<Value>, StatusCode> {
    let told = shared.book().userinfo.clone();
    told.map(Json).ok_or(StatusCode::UNAUTHORIZED)
}
