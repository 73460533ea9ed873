//! All manifests of this installation: the built-in ones and those of `MANIFESTS_DIR`.

use std::{collections::HashMap, fmt::Write, path::Path};

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Manifest,
    check::{Checker, ManifestErrors},
};

/// Part of the binary in release builds; read from the source tree in debug builds.
#[derive(RustEmbed)]
#[folder = "manifests/"]
struct BuiltIn;

/// Checked manifests, sorted by name, and their marks.
#[derive(Clone, Debug)]
pub struct Registry {
    manifests: Vec<Manifest>,
    by_slug: HashMap<String, usize>,
    by_id: HashMap<Uuid, usize>,
    sprite: String,
    brands: String,
    look_version: String,
}

impl Registry {
    /// The built-in manifests; those of `dir` add to them or replace those of the same slug.
    /// Reports everything that is wrong at once.
    pub fn load(dir: Option<&Path>) -> Result<Self, ManifestErrors> {
        let mut checker = Checker::new()?;
        let mut found = HashMap::new();
        for path in BuiltIn::iter() {
            if let Some(stem) = stem(&path)
                && let Some(file) = BuiltIn::get(&path)
                && let Some(manifest) = checker.read(&format!("manifests/{path}"), stem, &file.data)
            {
                found.insert(manifest.slug.clone(), manifest);
            }
        }
        if let Some(dir) = dir {
            for manifest in read_dir(dir, &mut checker) {
                found.insert(manifest.slug.clone(), manifest);
            }
        }
        if !checker.errors.is_empty() {
            let mut errors = checker.errors;
            errors.sort_by(|a, b| a.file.cmp(&b.file));
            return Err(ManifestErrors(errors));
        }
        Ok(Self::of(found.into_values().collect()))
    }

    fn of(mut manifests: Vec<Manifest>) -> Self {
        manifests.sort_by_cached_key(|m| (m.name.to_lowercase(), m.slug.clone()));
        let index = || manifests.iter().enumerate();
        let by_slug = index().map(|(i, m)| (m.slug.clone(), i)).collect();
        let by_id = index().map(|(i, m)| (m.id(), i)).collect();
        let (sprite, brands) = (sprite(&manifests), brands(&manifests));
        let mut look_version = String::new();
        let look = Sha256::new().chain_update(&sprite).chain_update(&brands);
        for byte in look.finalize().iter().take(6) {
            // Writing to a String can't fail.
            let _ = write!(look_version, "{byte:02x}");
        }
        Self {
            manifests,
            by_slug,
            by_id,
            sprite,
            brands,
            look_version,
        }
    }

    /// Sorted by name.
    pub fn all(&self) -> &[Manifest] {
        &self.manifests
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Manifest> {
        self.manifests.get(*self.by_slug.get(slug)?)
    }

    pub fn by_id(&self, id: Uuid) -> Option<&Manifest> {
        self.manifests.get(*self.by_id.get(&id)?)
    }

    pub fn find(&self, id_or_slug: &str) -> Option<&Manifest> {
        match Uuid::parse_str(id_or_slug) {
            Ok(id) => self.by_id(id),
            Err(_) => self.by_slug(id_or_slug),
        }
    }

    /// One SVG with a symbol named after the slug for each mark.
    pub fn sprite(&self) -> &str {
        &self.sprite
    }

    /// A style sheet with the colour of each brand that has one. A page can't say it of itself: its
    /// policy allows no styles but files.
    pub fn brands(&self) -> &str {
        &self.brands
    }

    /// Changes with the sprite and the colours, for addresses that may be cached for ever.
    pub fn look_version(&self) -> &str {
        &self.look_version
    }
}

/// Slugs and colours are checked: nothing in them ends a rule.
fn brands(manifests: &[Manifest]) -> String {
    let mut css = String::new();
    for manifest in manifests {
        if let Some(color) = manifest.connector().icon.color {
            let _ = write!(css, "[data-brand=\"{}\"]{{--brand:{color}}}", manifest.slug);
        }
    }
    css
}

/// The manifest's name, unless the file is none.
fn stem(file: &str) -> Option<&str> {
    file.strip_suffix(".json")
        .filter(|stem| *stem != "schema" && !stem.starts_with('.') && !stem.contains('/'))
}

fn read_dir(dir: &Path, checker: &mut Checker) -> Vec<Manifest> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let reason = format!("can't be read (MANIFESTS_DIR): {error}");
            checker.refuse(&dir.display().to_string(), "", reason);
            return Vec::new();
        }
    };
    let mut manifests = Vec::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                let reason = format!("can't be listed (MANIFESTS_DIR): {error}");
                checker.refuse(&dir.display().to_string(), "", reason);
                continue;
            }
        };
        let Some(stem) = path.file_name().and_then(|name| stem(name.to_str()?)) else {
            continue;
        };
        let file = path.display().to_string();
        match std::fs::read(&path) {
            Ok(json) => manifests.extend(checker.read(&file, stem, &json)),
            Err(error) => checker.refuse(&file, "", format!("can't be read: {error}")),
        }
    }
    manifests
}

/// The schema lets neither quotes nor angle brackets into slugs and paths.
fn sprite(manifests: &[Manifest]) -> String {
    let mut svg = String::from(r#"<svg xmlns="http://www.w3.org/2000/svg">"#);
    for manifest in manifests {
        if let Some(path) = &manifest.icon.path {
            let slug = &manifest.slug;
            let _ = write!(
                svg,
                r#"<symbol id="{slug}" viewBox="0 0 24 24"><path d="{path}"/></symbol>"#
            );
        }
    }
    svg.push_str("</svg>");
    svg
}
