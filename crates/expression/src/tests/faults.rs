//! What is wrong with an expression: the place, the words, the hint.

use super::support::{World, faults, text};
use crate::{Fault, Kind, Type, parse};

/// Each: the expression with `«»` around the place, the message, and a part of the hint.
fn all(cases: &[(&str, &str, &str)]) {
    for (marked, message, hint) in cases {
        let plain = marked.replace(['«', '»'], "");
        let start = marked.chars().position(|c| c == '«').expect("a mark") as u32;
        let end = marked.chars().position(|c| c == '»').expect("a mark") as u32 - 1;
        let found = faults(&plain);
        let Fault { at, message: said, hint: hinted } = &found[0];
        assert_eq!((said.as_str(), at), (*message, &(start..end)), "{plain}\n{found:?}");
        let hinted = hinted.as_deref().unwrap_or_default();
        assert!(hinted.contains(hint) && hinted.is_empty() == hint.is_empty(), "{plain}: {hinted:?}");
    }
}

#[test]
fn words() {
    all(&[
        ("«»", "there is no expression", ""),
        ("1 «#» 2", "'#' has no meaning here", ""),
        ("«'»abc", "this text does not end", "close it with '"),
        ("'a«\\q»'", "this escape means nothing", "\\u20AC"),
        ("'a«\\u12»'", "this escape means nothing", "\\u20AC"),
        ("'a«\\uD800»'", "this escape means nothing", "\\u20AC"),
        ("«5u»", "`5u` is no number", "no unsigned"),
        ("«1e3»", "`1e3` is no number", "exponent"),
        ("«1.5e3»", "`1.5e3` is no number", "exponent"),
        ("«0x1F»", "`0x1F` is no number", "0 to 9"),
        ("«.»5", "nothing stands before this point", "0.5"),
        ("«9223372036854775808»", "this whole number is too large", "9223372036854775807"),
        ("«99999999999999999999»", "this whole number is too large", "9223372036854775807"),
        ("«1.00000000000000000000000000000001»", "this decimal is too long", "28 digits"),
        ("«b»'abc'", "there is no `b` before a text", "no bytes"),
        ("«\"\"\"»a\"\"\"", "there are no texts in triple quotes", "one line"),
        ("«“»abc”", "`“` opens no text", "straight quotes"),
        ("record.count «=» 1", "`=` compares nothing", "`==`"),
        ("true «&» true", "`&` is no operator", "`&&`"),
        ("true «|» true", "`|` is no operator", "`||`"),
        ("«{»'a': 1}", "there are no maps and no messages", "lookup table"),
        ("1 «/»/ one", "there are no comments", "mapping file"),
        ("1 +«\n»1", "an expression is one line", "line breaks"),
    ]);
}

#[test]
fn grammar() {
    all(&[
        ("1 +«»", "expected a value, found the end", ""),
        ("1 «2»", "expected an operator, or the end, found a number", ""),
        ("true «and» false", "expected an operator, or the end, found `and`", "`&&`"),
        ("«if» true", "expected a value, found `if`", "condition ?"),
        ("«(»1", "nothing closes this: `)` is missing", ""),
        ("size«(»'a'", "nothing closes this: `)` is missing", ""),
        ("«[»1, 2", "nothing closes this: `]` is missing", ""),
        ("[1«)»", "expected `]`, found `)`", ""),
        ("[1, «]»", "expected a value, found `]`", ""),
        ("true «?» 1", "nothing closes this: `:` is missing", ""),
        ("record.«»", "expected a name, found the end", ""),
        ("record.«?»name", "there are no optional values", "has(…)"),
        ("record.«in»", "`in` is no name", "[\"in\"]"),
        ("record[«»", "expected a value, found the end", ""),
    ]);
}

#[test]
fn names() {
    all(&[
        ("«record.nam»", "there is no `record.nam`", "did you mean `record.name`?"),
        ("«name»", "there is no `name`", "use one of"),
        ("«matchs»('a')", "there is no function `matchs`", "if this is `matches`: there are no regular"),
        ("«matches»('a', 'b')", "there is no function `matches`", "no regular expressions"),
        ("«uper»('a')", "there is no function `uper`", "did you mean `upper`?"),
        ("«now»()", "there is no function `now`", "nothing but the record"),
        ("«double»(1)", "there is no function `double`", "no floating point"),
        ("record.name.«upper»()", "`upper` does not stand after a value", "write `upper(x)`"),
        ("«map»(record.tags, t, t)", "`map` goes through a list, item by item", "xs.map(x, …)"),
        ("record.tags.«map»(t, true, t)", "`map` goes through a list, item by item", "xs.filter"),
        ("record.tags.map(«1», 'a')", "expected a name for the items", "xs.map(x, …)"),
        ("record.tags.map(t, «t».size)", "`t` is text: nothing can be selected from it", ""),
        ("«coalesce(record.email, '')».x", "nothing can be selected from this", "start at a root"),
        ("record[«record.name»]", "a path is written out: brackets hold a name or a position", "lines[0]"),
        ("record[«-1»]", "a path is written out: brackets hold a name or a position", "lines[0]"),
        ("«trim()»", "`trim` does not take 0 arguments", "it is trim(text) text"),
        ("«trim('a', 'b')»", "`trim` does not take 2 arguments", "it is trim(text) text"),
        ("record.stage == «'wonn'» ? '' : ''", "\"wonn\" is none of the values that this input has", "`won`"),
        (
            "«'zzz'» != record.phase ? '' : ''",
            "\"zzz\" is none of the values that this input has",
            "open, won, lost",
        ),
        (
            "record.stage in ['won', «'los'»] ? '' : ''",
            "\"los\" is none of the values that this input has",
            "`lost`",
        ),
        (
            "lookup(«'contries', 'name', 'code'», 'x')",
            "there is no table `contries` from `name` to `code`",
            "`countries`",
        ),
        (
            "lookup(«record.name», 'name', 'code', 'x')",
            "this must be a text that is written out",
            "in quotes",
        ),
        ("link(record.account, «'companys'»)", "`companys` does not hold Account", "`companies`"),
        ("link(«record.name», 'companies')", "expected an input that refers to a record, found text", ""),
    ]);
}

#[test]
fn kinds() {
    all(&[
        ("«record.count»", "expected text?, found int", "`text(x)`"),
        ("«record.tags»", "expected text?, found list(text)", "`join(xs"),
        ("text(record.amount + «1»)", "expected decimal, found int", "`decimal(x)`"),
        ("text(«1» + record.amount)", "expected decimal, found int", "`decimal(x)`"),
        ("record.name + «1»", "expected text, found int", "`text(x)`"),
        ("text(record.count == «'7'»)", "expected int, found text", "`int(x)`"),
    ]);
    all(&[
        ("text('7' < «8»)", "expected text, found int", "`text(x)`"),
        ("text(«true» < false)", "`<` takes int or decimal or text or date or time, found bool", ""),
        ("text(«1.5» / 2.0)", "`/` takes int, found decimal", "`div(a, b, digits)`"),
        ("text(«record.born» + 1)", "`+` takes int or decimal or text, found date", "add_days"),
        ("text(-«'a'»)", "`-` takes int or decimal, found text", ""),
        ("«record.name» ? 'a' : 'b'", "expected bool, found text", "compare it"),
        ("text(!«1»)", "expected bool, found int", "x != 0"),
        ("true && «1» ? '' : ''", "expected bool, found int", "x != 0"),
        ("true ? 'a' : «1»", "expected text?, found int", "`text(x)`"),
        ("join(['a', «1»], '')", "expected text?, found int", "`text(x)`"),
    ]);
    all(&[
        ("text(size([«[1]»]))", "there are no lists in lists", "lists hold"),
        ("text(size(record.tags.map(t, «split(t, ' ')»)))", "there are no lists in lists", "join"),
        ("text('a' in «'abc'»)", "expected a list, found text", "contains"),
        ("text(«1» in ['a'])", "expected text, found int", "text(x)"),
        ("coalesce(record.email, «1»)", "expected text?, found int", "text(x)"),
        (
            "upper(«record.email»)",
            "expected text, found text?",
            "it may be null: ask first, as in `x != null ? x : \"\"`",
        ),
        ("upper(«null»)", "expected text, found null", "null is no value"),
        ("text(«record.discount» * 2.0)", "expected decimal, found decimal?", "it may be null"),
        ("upper(«record.count»)", "expected text, found int", "text(x)"),
        (
            "text(«record.tags»)",
            "`text` takes int or decimal or bool or date or time, found list(text)",
            "it is text(int) text",
        ),
        ("text(min(1, «2.0»))", "expected int, found decimal", "to_int(x)"),
        (
            "text(max(«'a'», 'b'))",
            "`max` takes int or decimal or date or time, found text",
            "max(int, int) int",
        ),
        ("text(size(«1»))", "`size` takes text or list(T), found int", "size(text) int"),
        ("text(abs(«record.discount»))", "expected decimal, found decimal?", "it may be null"),
        ("join(record.tags.filter(t, «t»), '')", "expected bool, found text", "compare it"),
    ]);
    all(&[
        ("text(«record.name».all(t, true))", "expected list(text), found text", "split"),
        (
            "text(record.tags.all(t, record.tags.«all»(u, true)))",
            "`all` stands inside of another",
            "one level",
        ),
        ("text(has(«'a'»))", "nothing can be selected from this", "start at a root"),
        ("text(record.tags.all(t, has(«t»)))", "`has` asks whether an input is there", "ask `t != null`"),
        ("join(sort(«[true]»), '')", "`sort` takes list(T), found list(bool)", "sort(list(T))"),
    ]);
}

#[test]
fn literals_are_checked_before_anything_runs() {
    all(&[
        ("text(round(1.5, 0, «'half_down'»))", "there is no rounding `half_down`", "half_even"),
        ("text(date(record.name, «'%d.%m.%y'»))", "`%d.%m.%y` does not hold a whole date", "four digits"),
        ("text(date(record.name, «record.name»))", "this must be a text that is written out", "in quotes"),
        (
            "text(time(record.name, «'%d.%m.%Y %H:%M'»))",
            "it has no offset, so the time it means is not known",
            "%z",
        ),
        (
            "text(time(record.name, '%F %T', «'Europe/Berlinn'»))",
            "there is no time zone `Europe/Berlinn`",
            "`Europe/Berlin`",
        ),
        ("text(date_in(record.seen, «'CEST'»))", "there is no time zone `CEST`", "did you mean"),
        ("format(record.born, «'dd.mm.yyyy'»)", "it holds no directive", "%d.%m.%Y"),
    ]);
    for (text, message) in [
        ("format(record.born, '%H:%M')", "`%H:%M` cannot be used"),
        ("text(date(record.name, '%d.%m.%Y %H'))", "`%d.%m.%Y %H` cannot be used"),
        ("text(time(record.name, '%é'))", "`%é` cannot be used"),
    ] {
        let fault = &faults(text)[0];
        assert!(fault.message.starts_with(message), "{fault:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = faults("upper(record.count) + uper('a') + record.nam");
    let said: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(said, ["expected text, found int", "there is no function `uper`", "there is no `record.nam`"]);
}

#[test]
fn a_fault_is_shown_under_the_line() {
    let line = "record.name + 'ä€' + record.count";
    let found = faults(line);
    assert_eq!(
        found[0].show(line),
        "record.name + 'ä€' + record.count\n                     ^^^^^^^^^^^^ expected text, found int\n\
         hint: `text(x)` makes a text of it"
    );
    let line = "1 +\t";
    let fault = parse(line).unwrap_err();
    assert_eq!(fault.show(line), "1 + \n    ^ expected a value, found the end");
}

#[test]
fn what_is_wanted_decides() {
    let mut world = World::default();
    assert!(world.compile("record.email", &text().or_null()).is_ok());
    assert_eq!(world.compile("record.email", &text()).unwrap_err()[0].message, "expected text, found text?");
    assert!(world.compile("null", &text().or_null()).is_ok());
    assert!(world.compile("null", &text()).is_err());
    assert!(world.compile("[]", &Type::list(text())).is_ok());
    assert!(world.compile("[null]", &Type::list(text())).is_err());
    assert!(world.compile("record.count", &Type::of(Kind::Decimal)).is_err());
    assert!(world.compile("decimal(record.count)", &Type::of(Kind::Decimal)).is_ok());
}

#[test]
fn a_reference_does_not_leave_as_it_is() {
    let mut world = World::default();
    let mut said = |text: &str| {
        let faults = crate::compile(&parse(text).unwrap(), &mut world, None).unwrap_err();
        faults[0].message.clone()
    };
    assert_eq!(said("record.account"), "expected text, found ref(Account)");
    assert_eq!(said("[record.account]"), "expected text, found list(ref(Account))");
    assert_eq!(said("has(record.parent) ? record.parent : null"), "expected text?, found ref(Account)?");
}
