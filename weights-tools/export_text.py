#!/usr/bin/env python3
"""Makes the tables that the program reads, of HTML 5's entities and of Unicode's decompositions
(src/Cliper.Model/Text/html-entities.txt, unicode-data.txt), and the table of texts with what OpenAI's cleaning, a
Hugging Face normalizer and Unicode's normal forms make of them (tests/golden/text_cleaning.json).
Needs ftfy 6.3. See README.md."""

import html
import html.entities
import json
import os
import random
import re
import unicodedata

import ftfy

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
ENTITIES = os.path.join(ROOT, "src", "Cliper.Model", "Text", "html-entities.txt")
UNICODE = os.path.join(ROOT, "src", "Cliper.Model", "Text", "unicode-data.txt")
TEXTS = os.path.join(ROOT, "tests", "golden", "text_cleaning.json")
PHRASES = ["a photo of a happy face", "Émile's smile", "it's 3.50 £", "Ångström and naïve café", "笑顔 face", "ΟΔΟΣ"]


def entities():
    """A line an entity: name, code points, and "legacy" where it is known without a semicolon too."""
    lines = []
    for name, value in sorted(html.entities.html5.items()):
        if not name.endswith(";"):
            continue
        bare, codes = name[:-1], " ".join("%04X" % ord(c) for c in value)
        lines.append("%s\t%s%s" % (bare, codes, "\tlegacy" if bare in html.entities.html5 else ""))
    return lines


def unicode_data():
    """A line a character that has a combining class or a decomposition, Hangul syllables aside: code point, class, and the
    decomposition, after "k" where it is one of compatibility and after "x" where it is never composed again."""
    lines = []
    for code in range(0x110000):
        char = chr(code)
        combining, parts = unicodedata.combining(char), unicodedata.decomposition(char).split()
        if not combining and not parts:
            continue
        flag = ""
        if parts and parts[0].startswith("<"):
            flag, parts = "k ", parts[1:]
        elif parts and unicodedata.normalize("NFC", char) != char:
            flag = "x "
        lines.append("%04X\t%d%s" % (code, combining, "\t" + flag + " ".join(parts) if parts else ""))
    return lines


def openai(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return re.sub(r"\s+", " ", text).strip().lower()


def hugging_face(text):
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    return "".join(c.lower() for c in text)


def texts():
    choice = random.Random(7)
    for code in [*range(0x80, 0xA0), *range(0x2010, 0x2030), 0x2BC, *range(0x132, 0x134), 0x149, *range(0x1C4, 0x1CD),
                 *range(0x1F1, 0x1F4), *range(0xFB00, 0xFB07), 0x3000, *range(0xFF01, 0xFF61, 5), *range(0xFF61, 0xFFA0, 6),
                 *range(0xFFA1, 0xFFEF, 11), 0xFEFF, 0x2028, 0x2029, 0x206B, 0xFFFA, 0xFFFC, 0x0B, 0x07, 0x7F]:
        yield "a %c face" % code
    for name in choice.sample(sorted(html.entities.html5), 60):
        yield "a &%s face" % name
    for name in ["amp", "eacute", "AT&ampT", "notit;", "not", "copy2", "NTILDE;", "SZLIG;", "nTILDE;", "hellip;", "rsquo;",
                 "ldquo;", "nosuch;", "amp;amp;amp;", "amp;lt;", "#150;", "#x96;", "#8217;", "#x1F600;", "#0;", "#13;", "#55296;",
                 "#1114112;", "#11;", "#xZ;", "#12a", "#65", "#x41", "#38;#39;", "lt;b&gt;", "fi", "fjlig;", "Eacute", "EACUTE;"]:
        yield "a &%s face" % name
        yield "<i>a</i> &%s face" % name
        yield "one &%s\ntwo < &%s" % (name, name)
    for phrase in PHRASES:
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            yield unicodedata.normalize(form, phrase)
    for text in ["résumé", "ống khói", "が笑う", "각 놀람", "Zoë is überrascht", "ÅÅ", "ﾊﾟﾋﾟ", "ﾀﾞ", "“quoted” ‘text’ ‚low‘ „low“",
                 "ＬＯＵＤ　ＮＯＩＳＥＳ", "ﬂuﬃeﬆ", "\x1b[36;44mblue\x1b[0m", "a\r\nb\rc\u2028d\x85e", "\ufeffbom", "İSTANBUL", "ΑΣ ΑΣ' Σ",
                 "🙂 ☺️ 👩‍👩‍👧", "𝒜 𝟏½", "  \t ", "", "a\u00adb", "soft\u200bspace", "N\u0303o", "ŉ Ǆ ǅ ǆ", "10³ µm ™ №",
                 "&lt;|endoftext|&gt;", "1 < 2 &amp; 3", "¿qué? ¡sí!", "Straße &szlig;"]:
        yield text
    alphabet = ["&amp;", "&lt;", "<", "’", "“", "ﬁ", "Ｆ", "e\u0301", " ", "\u00a0", "Σ", "İ", "x", "9", "&rsquo", "&#39;", "\n", "ﾊﾟ",
                "\u0308", "ǆ", "!", "…", "é"]
    marks = [chr(c) for c in [*range(0x300, 0x345), 0x3099, 0x309A, 0x5B0, 0x5C1, 0x323, 0x328]]
    bases = [*"aeiouAEOUnNcsSzdlyw", "\u00e2", "\u0226", "\u1ea0", "\u03c9", "\u0438", "\u304b", "\u1100", "\u1161", "\u11a8",
             "\uac00", "\u212b", "\u1e9b", "\ufb01", "\u0958", "\u2adc", "\U0001d15e", "\U00011131", "\U00011127", "\u0f73"]
    for _ in range(120):
        yield "".join(choice.choice(bases) + "".join(choice.choice(marks) for _ in range(choice.randrange(4)))
                      for _ in range(choice.randrange(1, 4)))
    for _ in range(150):
        yield "".join(choice.choice(alphabet) for _ in range(choice.randrange(2, 12)))


def main():
    with open(ENTITIES, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(entities()) + "\n")
    with open(UNICODE, "w", encoding="ascii", newline="\n") as file:
        file.write("# Unicode %s\n" % unicodedata.unidata_version + "\n".join(unicode_data()) + "\n")
    rows, left = [], 0
    for text in dict.fromkeys(texts()):
        # The repair of wrongly decoded text is not a part of the program.
        if any(ftfy.fix_encoding(part) != part for part in (text, html.unescape(text), html.unescape(html.unescape(text)))):
            left += 1
            continue
        rows.append({"text": text, "openai": openai(text), "hugging_face": hugging_face(text),
                     **{form.lower(): unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")}})
    with open(TEXTS, "w", encoding="utf-8", newline="\n") as file:
        json.dump(rows, file, ensure_ascii=True, indent=0)
        file.write("\n")
    print("%d texts, %d left out" % (len(rows), left))


if __name__ == "__main__":
    main()
