"""Sentences the simulator speaks in.

`{topic}` and `{other}` are things that the question names, with their articles: no verb depends on them.
"""

REASONING_OPENINGS = (
    "The user asks “{question}” — let me work out what is really wanted.",
    "Okay, “{question}” is the question. I should find the main point first.",
    "Let me read this again: “{question}” — the main point seems to be {topic}.",
)
REASONING_STEPS = (
    "First, what do I know about {topic}?",
    "It probably helps to look at {topic} and {other} one after the other.",
    "There may be an exception, so I should not promise too much.",
    "Hmm, a small example would make this clearer.",
    "One way to check this is to start from {other} and to go backwards.",
    "Would {other} change the answer? Perhaps a little.",
    "That is a fair reading, but is it the only one?",
    "Wait, the order matters: first {topic}, then {other}.",
    "A résumé is enough here — nobody asked for a book.",
    "In Chinese the two halves would be 原因 and 結果: the cause, and what comes of it.",
    "I could list three points, and keep each of them short.",
    "The numbers are small, so a rough estimate is good enough.",
    "So far nothing contradicts the first idea.",
)
REASONING_ENDINGS = (
    "Good. I have enough to answer now.",
    "That settles it; I will write a short, clear answer.",
    "Alright, let me put this into plain words.",
)
CONTENT_OPENINGS = (
    "Here is a short answer about {topic}.",
    "In short: to understand {topic}, begin with {other}.",
    "Good question. Let us begin with {topic} and come back to {other} later.",
    "There is more to {topic} than meets the eye, but the main idea is simple.",
)
CONTENT_PICTURES = (
    "Picture a café: you choose from the menu — the kitchen does the rest ☕.",
    "You can try it out in an afternoon, and for less than €20 🙂.",
    "It is like learning to write 漢字: one character a day, and no day left out.",
    "There is a Polish saying for this — “powoli, ale dokładnie”, slowly but exactly 🐢.",
    "At first sight that looks naïve — it is not.",
)
CONTENT_STEPS = (
    "Start with what you already know about {topic}, and write it down in one sentence.",
    "Then look at {other}, because the two are easily confused.",
    "A common mistake is to leave {other} for later — by then it costs twice as much.",
    "In most cases the simple way is also the right one.",
    "If you have to choose, prefer what you can measure.",
    "\n\nTwo things are worth remembering about {topic}:\n\n1. Keep it small.\n2. Check it twice.\n\n",
    "This holds in 9 cases out of 10.",
    "You will see a difference after a few days.",
    "A small example helps: change one thing about {other}, and watch what happens.",
    "None of this needs special tools; a notebook for €3 will do.",
    "It is also worth asking someone who knows more about {topic}.",
    "The cost is low, and a wrong step is easy to undo.",
    "When in doubt, go back to {topic} and ask what has changed.",
)
CONTENT_ENDINGS = (
    "If you tell me more about {other}, I can be more exact.",
    "That should be enough to begin with.",
    "In the end it is simpler than it looks 🙂.",
)
CODE_LINES = (
    "    total = 0\n",
    "    for item in items:\n",
    "        total += item\n",
    "    if not items:\n",
    "        return None\n",
    '    name = "café 漢字 🙂"\n',
    "    result = sorted(items)\n",
    "    # keep the first one\n",
)
_VERBS = """
answer answers answered become becomes begin begins break breaks bring brings build builds buy call
change changes come comes compare count create creates cut define describe die draw eat end ends
explain explained explains fall falls feel find finds fly follow go goes grow grows happen happens hear
hold holds keep keeps kept kill know known knows lead leads learn leave list live lives look looks lose
make makes mean means meet migrate move moves name need needs open pay prevent prevents produce
produces put read reads reduce run runs see send sends set sing sit sleep speak spread start starts
stay stop stops summarise summarize survive survives swim take takes talk teach think translate travel
try turn turns understand want wants watch win work works write writes written
"""
_OTHER_WORDS = """
about after again all also always and another any are around ask away back because been before being best
better between big both but can could did different does doing done down during each either else enough
ever every everything few first for from get gets give given good got had has have having help her here
him his how however important into its itself just last least less let like little long lot many may
maybe might more most much must never new next nice not nothing now off often old once one only other
our out over own per please quite rather really same say says seem several shall she short should show
simple simply since small some someone something soon still such tell than that the their them then
there these they thing things this those three through too two under until upon use used useful user
uses using usually very was way ways well were what when where whether which while who whole whom whose
why will with within without word words would yes yet you your
blue brief briefly bright clear cold dark deep easy fast fresh great green grey happy hard healthy heavy
high hot large late light loud low quick quickly red safe safely slow slowly strong sweet true warm weak
wet wide wrong young json four five six seven eight nine ten
"""
VERBS = frozenset(_VERBS.split())
COMMON_WORDS = VERBS | frozenset(_OTHER_WORDS.split())
