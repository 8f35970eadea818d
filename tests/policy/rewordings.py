"""Shipped rules in other words, and other topics in their place."""

Texts = tuple[str, str, list[str]]
# The same rules in new words throughout: title, policy and entries.
WRITTEN_ANEW: dict[str, Texts] = {
    "bystander-faces": (
        "Recognisable faces",
        (
            "Hide every real person's face that somebody who knows them could recognise. Whether"
            " they agreed to be shown cannot be told from the photo."
        ),
        [
            "A face seen from the front or the side, clear enough for an acquaintance",
            "A face reflected in a mirror or displayed on a screen",
            "A child's face, even where the grown-ups look away",
        ],
    ),
    "contact-details": (
        "Contact data",
        (
            "Cover whatever lets a stranger get in touch with one person. Cover it in doubt; a"
            " company's public homepage may stay."
        ),
        [
            "E-mail addresses",
            "Phone and fax numbers of any country",
            "User names on social networks or messengers",
            "Links to somebody's profile, chat or private page",
        ],
    ),
    "licence-plates": (
        "Number plates",
        "Number plates lead to the owner of a car, so they are made unreadable.",
        [
            "Readable number plates of cars, motorbikes, trucks and trailers",
            "Plates of cars parked behind the subject",
        ],
    ),
    "drugs": (
        "Narcotics",
        "Members may not sell narcotics here, teach how they are made, or glamorise taking them.",
        [
            "Price lists, emoji menus or dealers' contacts that offer drugs",
            "Instructions for producing, growing, extracting or hiding drugs",
            "Injecting, smoking or snorting presented as worth imitating",
        ],
    ),
    "weapons-and-explosives": (
        "Arms and ammunition",
        "No arms are sold on this marketplace, with or without a licence.",
        [
            "Guns, gun parts, silencers, magazines and cartridges",
            "Replicas and air or gas guns that could be mistaken for firearms",
            "Flick knives, brass knuckles, batons, tasers, pepper spray",
            "Fireworks and explosives, and manuals for making them",
        ],
    ),
    "self-harm": (
        "Self-injury and suicide",
        (
            "Do not show, glorify or teach self-injury. A person decides, because somebody who"
            " needs help should get it."
        ),
        [
            "Fresh self-inflicted wounds",
            "Suicide attempts, announcements and farewell letters",
            "Methods or places of suicide given as advice",
            "Praise of starving, purging or extreme thinness",
        ],
    ),
}
# Other topics under these ids, some in the very sentences of the rule that was there.
OTHER_TOPICS: dict[str, Texts] = {
    "bystander-faces": (
        "Tobacco advertising",
        "Pictures must not advertise cigarettes or vaping to young people.",
        ["Show a cigarette brand as the main thing", "Show people who smoke in front of children"],
    ),
    "licence-plates": (
        "Company logos",
        (
            "A readable logo of a competitor is hidden, because it leads customers to another shop"
            " and tells where the picture was taken."
        ),
        [
            "Show a readable logo of a car maker or shop",
            "Show the readable logo of a sponsor in the background",
        ],
    ),
    "drugs": (
        "Spoilers",
        (
            "Pictures must not tell the ending of films, series or games that came out within the"
            " last month."
        ),
        ["Show the final scene of a film", "Show a text that tells who dies"],
    ),
    "contact-details": (
        "Profanity",
        "Readable swear words are covered.",
        ["Show an insult in any language", "Show a gesture that insults"],
    ),
}
