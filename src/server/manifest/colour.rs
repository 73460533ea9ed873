//! Whether a brand's colour shows on the page.

/// The page's grounds, light and dark, as relative luminances: `#FFFFFF` and `#16171B`.
const LIGHT: f64 = 1.0;
const DARK: f64 = 0.008_624_973;

/// The least contrast with either ground. WCAG 2.2 asks 3 : 1 of graphics that carry meaning and
/// exempts logotypes; these marks stand beside the product's name and carry none. At 2 : 1 every
/// mark still shows on both grounds; at 3 : 1 almost half of the brands (HubSpot, Shopify, GitLab)
/// would lose the colour people know them by.
const LEAST: f64 = 2.0;

/// `#RRGGBB` shows on both grounds.
pub(super) fn visible(color: &str) -> bool {
    luminance(color).is_some_and(|own| contrast(own, LIGHT).min(contrast(own, DARK)) >= LEAST)
}

/// WCAG's contrast ratio.
fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG's relative luminance.
fn luminance(color: &str) -> Option<f64> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let linear = |from: usize| {
        let channel = u8::from_str_radix(digits.get(from..from + 2)?, 16).ok()?;
        let channel = f64::from(channel) / 255.0;
        Some(if channel <= 0.040_45 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        })
    };
    Some(0.2126 * linear(0)? + 0.7152 * linear(2)? + 0.0722 * linear(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grounds_are_the_pages_own() {
        assert!((luminance("#FFFFFF").unwrap() - LIGHT).abs() < 1e-6);
        assert!((luminance("#16171B").unwrap() - DARK).abs() < 1e-6);
        assert!((contrast(0.0, 1.0) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn colours_near_a_ground_give_way() {
        for shown in ["#EA4335", "#635BFF", "#FF7A59", "#7AB55C"] {
            assert!(visible(shown), "{shown}");
        }
        for hidden in ["#000000", "#4A154B", "#FFE01B", "#FFFFFF", "#03363D", "red"] {
            assert!(!visible(hidden), "{hidden}");
        }
    }
}
