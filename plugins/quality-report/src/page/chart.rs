//! Bars, as a picture in the page (SVG).

use std::fmt::Write;

use super::escape;

/// A bar.
pub(super) struct Bar {
    /// What it is of.
    pub(super) name: String,
    /// How long.
    pub(super) value: f64,
    /// What stands behind it.
    pub(super) label: String,
}

const WIDTH: u32 = 640;
const ROW: u32 = 26;
/// Where bars begin, and the longest one ends.
const LEFT: u32 = 220;
const LONGEST: f64 = 320.0;
/// So many bars are in one picture: a browser that prints breaks pages between pictures, and cuts one that is longer than a
/// page through the middle of its words.
const IN_ONE: usize = 10;
/// So many characters of a name have room.
const NAME_CHARS: usize = 28;

/// A chart of bars, one below the other, with a heading; nothing if there are none.
pub(super) fn bars(heading: &str, bars: &[Bar]) -> String {
    if bars.is_empty() {
        return String::new();
    }
    let most = bars.iter().fold(0.0_f64, |most, bar| most.max(bar.value));
    let heading = escape(heading);
    let pictures: String = bars.chunks(IN_ONE).map(|some| picture(&heading, some, most)).collect();
    format!("<figure>\n<figcaption>{heading}</figcaption>\n{pictures}</figure>\n")
}

/// Some of the bars; `most` is the value of the longest of all.
fn picture(heading: &str, bars: &[Bar], most: f64) -> String {
    let height = ROW * u32::try_from(bars.len()).unwrap_or(u32::MAX / ROW);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{heading}\">\n");
    for (row, bar) in (0..).zip(bars) {
        let (top, middle) = (row * ROW + 4, row * ROW + 18);
        let length = if most > 0.0 { LONGEST * bar.value / most } else { 0.0 };
        let behind = f64::from(LEFT) + length + 6.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\"/>\
             <text x=\"{behind:.1}\" y=\"{middle}\">{}</text>",
            LEFT - 8,
            escape(&shortened(&bar.name)),
            escape(&bar.label)
        );
    }
    svg + "</svg>\n"
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fits_and_the_others_are_in_proportion() {
        let bar = |name: &str, value: f64| Bar { name: name.into(), value, label: format!("{value}") };
        let svg = bars("Chats & <more>", &[bar("a", 10.0), bar(&"b".repeat(40), 5.0), bar("c", 0.0)]);
        for part in ["width=\"320.0\"", "width=\"160.0\"", "width=\"0.0\"", "Chats &amp; &lt;more&gt;"] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        assert!(svg.contains(&format!("{}…", "b".repeat(27))));
        assert_eq!(bars("nothing", &[]), "");
        assert!(bars("zeros", &[bar("a", 0.0)]).contains("width=\"0.0\""));
    }

    #[test]
    fn many_bars_are_several_pictures_with_one_measure() {
        let bar = |value: u32| Bar { name: "a".into(), value: value.into(), label: value.to_string() };
        let html = bars("Chats", &(1..=25).map(bar).collect::<Vec<_>>());
        let heights: Vec<&str> = html.split("viewBox=\"0 0 640 ").skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(heights, ["260", "260", "130"]);
        assert_eq!(html.matches("<figcaption>Chats</figcaption>").count(), 1);
        assert_eq!(html.matches("width=\"320.0\"").count(), 1, "only the longest one of all is that long");
        assert_eq!(html.matches("<rect").count(), 25);
    }
}
