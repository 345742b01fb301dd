//! What a published report says, cell by cell.

/// The lines of a table of the page, the first table is 0; without the headline, and with `|` between the cells.
pub(super) fn table(page: &str, number: usize) -> Vec<String> {
    let table = page.split("<table").nth(number + 1).and_then(|rest| rest.split("</table>").next());
    let body = table.and_then(|table| table.split("<tbody>").nth(1)).expect("a table with lines");
    body.split("</tr>")
        .map(|line| texts(line, "td"))
        .filter(|cells| !cells.is_empty())
        .map(|cells| cells.join("|"))
        .collect()
}

/// The large numbers of all chats: what is said, and what it is of.
pub(super) fn tiles(page: &str) -> Vec<(&str, &str)> {
    let tiles =
        page.split("<section class=\"tiles\">").nth(1).and_then(|rest| rest.split("</section>").next());
    let tiles = tiles.expect("tiles");
    texts(tiles, "b").into_iter().zip(texts(tiles, "span")).collect()
}

/// A line of the CSV, by the agent and a column's name; `None` if the agent has no line. For cells without commas.
pub(super) fn cell<'a>(csv: &'a str, agent: &str, column: &str) -> Option<&'a str> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next()?;
    let place = |name: &str| head.iter().position(|known| *known == name).expect("a column");
    let (who, column) = (place("agent"), place(column));
    lines.find(|line| line.get(who) == Some(&agent))?.get(column).copied()
}

/// What stands in the elements of a name.
fn texts<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let elements = html.split(begin.as_str()).skip(1);
    elements.map(|rest| rest.split(end.as_str()).next().unwrap_or_default()).collect()
}
