//! XML without anybody's values: elements, attributes' names, namespaces and the shape stay.

use guard::disguise::Disguise;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer, XmlVersion};

use super::XmlPlan;

/// The document with its texts and its attributes' values disguised; comments and instructions go. `None`: it is no XML that is
/// taken.
#[must_use]
pub fn disguised_xml(raw: &[u8], disguise: &mut Disguise) -> Option<Vec<u8>> {
    // What cannot be read says nothing to anybody: the same bounds, and no document type.
    XmlPlan::default().read(raw).ok()?;
    let text = std::str::from_utf8(raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw)).ok()?;
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::with_capacity(raw.len()));
    // A text comes in parts, around each `&amp;`.
    let mut said = String::new();
    loop {
        let event = reader.read_event().ok()?;
        match &event {
            Event::Text(text) => said.push_str(&text.xml10_content()),
            Event::CData(data) => said.push_str(&data.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                Some(character) => said.push(character),
                None => said.push_str(resolve_predefined_entity(entity)?),
            },
            Event::Start(_) | Event::Empty(_) | Event::End(_) | Event::Eof => {
                let core = said.trim();
                let shown = said.replacen(core, &disguise.text(core), usize::from(!core.is_empty()));
                writer.write_event(Event::Text(BytesText::from_escaped(escape(shown)))).ok()?;
                said.clear();
            }
            _ => {}
        }
        match event {
            Event::Start(start) => writer.write_event(Event::Start(tag(&start, disguise)?)).ok()?,
            Event::Empty(start) => writer.write_event(Event::Empty(tag(&start, disguise)?)).ok()?,
            Event::End(end) => writer.write_event(Event::End(end)).ok()?,
            Event::Decl(declaration) => writer.write_event(Event::Decl(declaration)).ok()?,
            Event::Eof => break,
            _ => {}
        }
    }
    Some(writer.into_inner())
}

/// A tag with its attributes' values disguised, but for what XML itself gives a meaning.
fn tag(start: &BytesStart<'_>, disguise: &mut Disguise) -> Option<BytesStart<'static>> {
    let mut tag = BytesStart::new(start.name().as_ref().to_owned());
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key: &str = attribute.key.as_ref();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        let own = key == "xmlns" || key.starts_with("xmlns:");
        let shown = if own { value.into_owned() } else { disguise.text(&value) };
        tag.push_attribute((key, shown.as_str()));
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use guard::disguise::Disguise;

    use super::disguised_xml;

    #[test]
    fn names_stay_and_values_go() {
        let mut disguise = Disguise::keeping(["E1".to_owned()]);
        let seen = "<?xml version=\"1.0\"?><!-- Grace --><s:A xmlns:s=\"urn:s\" xmlns:i=\"urn:i\">\n  <person id=\"p77123\" s:code=\"E1\">\
            Grace &amp; <![CDATA[Ann]]></person><mail> grace@navy.mil </mail><more>false</more><n i:nil=\"true\"/><count>7</count></s:A>";
        let shown = String::from_utf8(disguised_xml(seen.as_bytes(), &mut disguise).unwrap()).unwrap();
        assert_eq!(
            shown,
            "<?xml version=\"1.0\"?><s:A xmlns:s=\"urn:s\" xmlns:i=\"urn:i\">\n  <person id=\"a11111\" s:code=\"E1\">\
             Aaaaa &amp; Aaa</person><mail> person1@example.test </mail><more>false</more><n i:nil=\"true\"/><count>7</count></s:A>"
        );
        for none in ["<!DOCTYPE a><a/>", "<html><br></html>", "{}", "", "<a>&b;</a>"] {
            assert_eq!(disguised_xml(none.as_bytes(), &mut disguise), None, "{none}");
        }
    }
}
