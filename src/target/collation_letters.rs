//! The letters that collations of Azure SQL take, or may take, for others.
//!
//! Regular expressions are classes of the engine's, pairs of texts are letter by letter. What belongs to which collation is said elsewhere.
//! Sources: the Unicode character database; which of its letters have weights of their own the vendor does not write down, so that these
//! lists are long rather than exact.

/// Letters whose capitals every version knows: Latin-1 and Extended-A, without the Turkish ones and the long s.
pub(super) const LATIN: &str = r"^[\x{01}-\x{12F}\x{132}-\x{17E}]*$";

/// The same with Greek and Cyrillic ones.
pub(super) const EUROPEAN: &str = r"^[\x{01}-\x{12F}\x{132}-\x{17E}\x{386}-\x{3C1}\x{3C3}-\x{3CE}\x{400}-\x{45F}]*$";

/// What of ASCII may be ignored.
pub(super) const CONTROLS: &str = r"[\x{01}-\x{08}\x{0E}-\x{1F}\x{7F}]";

/// What may have no weight, so that it is as if it were not there.
pub(super) const IGNORED: &str = r"[\x{01}-\x{08}\x{0E}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{34F}\x{61C}\x{180B}-\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FE00}-\x{FE0F}\x{FEFF}\x{FFF0}-\x{FFFF}\x{10000}-\x{10FFFF}]";

/// The scripts without weights in version 80.
pub(super) const UNWEIGHTED: &str = r"[\x{220}-\x{24F}\x{500}-\x{52F}\x{700}-\x{8FF}\x{D80}-\x{DFF}\x{F00}-\x{109F}\x{1200}-\x{1DFF}\x{2800}-\x{28FF}\x{2C00}-\x{2FFF}\x{3400}-\x{4DBF}\x{A000}-\x{ABFF}]";

/// Spaces, digits above and below the line, and letters of another form.
pub(super) const SIGNS: (&str, &str) = (
    "\u{a0}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{202f}\u{205f}\u{3000}¹²³⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ªºςſ",
    "               12304567890123456789aoσs",
);

/// Letters with strokes.
pub(super) const STROKES: (&str, &str) = ("øØđĐłŁħĦŧŦıİ", "oOdDlLhHtTii");

/// Wide letters of ASCII.
pub(super) const WIDE: (&str, &str) = (
    "！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～",
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
);

/// Narrow katakana, and the marks of voice that follow them.
pub(super) const NARROW: (&str, &str) = (
    "ｦｧｨｩｪｫｬｭｮｯｰｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝﾞﾟ｡｢｣､･",
    "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\u{309a}。「」、・",
);

pub(super) const HIRAGANA: &str = "ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもゃやゅゆょよらりるれろゎわゐゑをんゔゕゖ";
pub(super) const KATAKANA: &str = "ァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロヮワヰヱヲンヴヵヶ";

/// Small katakana, which are to the others as small letters are to capitals.
pub(super) const SMALL: (&str, &str) = ("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ");

/// Letters for several.
pub(super) const EXPANSIONS: &[(&str, &str)] = &[
    ("ß", "ss"),
    ("ẞ", "SS"),
    ("æ", "ae"),
    ("Æ", "AE"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("þ", "th"),
    ("Þ", "TH"),
    ("ĳ", "ij"),
    ("Ĳ", "IJ"),
    ("ŉ", "'n"),
    ("ǆ", "dž"),
    ("ǉ", "lj"),
    ("ǌ", "nj"),
    ("ǳ", "dz"),
    ("ﬀ", "ff"),
    ("ﬃ", "ffi"),
    ("ﬄ", "ffl"),
    ("ﬁ", "fi"),
    ("ﬂ", "fl"),
    ("ﬅ", "st"),
    ("ﬆ", "st"),
];

type Pairs = &'static [(&'static str, &'static str)];

/// What a language may take for equal besides, in small letters.
pub(super) const BY_LANGUAGE: &[(&str, Pairs)] = &[
    ("DANISH", &[("å", "aa"), ("ä", "ae"), ("ø", "ö"), ("ü", "y")]),
    ("NORWEGIAN", &[("å", "aa"), ("ä", "ae"), ("ø", "ö"), ("ü", "y")]),
    ("FINNISH", &[("w", "v"), ("ü", "y"), ("ø", "ö"), ("ä", "ae")]),
    ("ESTONIAN", &[("w", "v")]),
    ("LITHUANIAN", &[("y", "i")]),
    ("GERMAN_PHONEBOOK", &[("ä", "ae"), ("ö", "oe"), ("ü", "ue")]),
    (
        "HUNGARIAN",
        &[
            ("ccs", "cscs"),
            ("ddz", "dzdz"),
            ("ggy", "gygy"),
            ("lly", "lyly"),
            ("nny", "nyny"),
            ("ssz", "szsz"),
            ("tty", "tyty"),
            ("zzs", "zszs"),
        ],
    ),
    ("TURKISH", &[("ı", "i")]),
    ("AZERI", &[("ı", "i")]),
];

/// Languages that read two letters of ASCII as one, so that `aA` is not what `aa` is, and those with other capitals.
pub(super) const JOINED: &[&str] = &[
    "ALBANIAN",
    "AZERI",
    "BOSNIAN",
    "BRETON",
    "CROATIAN",
    "CZECH",
    "DANISH",
    "HUNGARIAN",
    "MALTESE",
    "MAORI",
    "MAPUDUNGAN",
    "NORWEGIAN",
    "SERBIAN",
    "SLOVAK",
    "SPANISH",
    "TATAR",
    "TURKISH",
    "UZBEK",
    "VIETNAMESE",
    "WELSH",
];
