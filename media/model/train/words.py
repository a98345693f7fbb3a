"""The words the model knows. Every entry becomes one token (see tokenizer.py)."""

# The eight names of the nnsight tutorial come first.
IOI_NAMES = (
    "John Mary Tom James Dan Sid Martin Amy "
    "Michael Robert David William Richard Joseph Thomas Charles Daniel Matthew "
    "Anthony Mark Paul Steven Andrew Kevin Brian George Edward Peter Jack Henry "
    "Adam Simon Frank Sarah Karen Lisa Nancy Emily Laura Anna Kate Rachel Alice "
    "Emma Jane Julia Susan Linda Jennifer Jessica Ruth Rose Helen Claire Carl Sean "
    "Alan Scott Eric Harry Ryan Jason"
).split()

# These occur in stories and in random sequences, never in an IOI prompt.
KEPT_OUT_NAMES = (
    "Oliver Lucas Samuel Victor Arthur Leon Max Ben Sophie Grace Maria Diana Lucy "
    "Ella Nina Eva"
).split()

FEMALE_NAMES = set(
    "Mary Amy Sarah Karen Lisa Nancy Emily Laura Anna Kate Rachel Alice Emma Jane "
    "Julia Susan Linda Jennifer Jessica Ruth Rose Helen Claire "
    "Sophie Grace Maria Diana Lucy Ella Nina Eva".split()
)

ALL_NAMES = IOI_NAMES + KEPT_OUT_NAMES

TUTORIAL_PAIRS = [("John", "Mary"), ("Tom", "James"), ("Dan", "Sid"), ("Martin", "Amy")]

PLACES = (
    "shops park school beach library museum station garden office market hospital "
    "restaurant store river hotel"
).split()

OBJECTS = [
    "the bag", "the ball", "an apple", "a drink", "the book", "a flower", "a letter",
    "the key", "a ring", "the box", "a coat", "a gift", "the hat", "a cup", "the toy",
    "an egg", "an orange", "a cake", "the map", "a card",
]

GAVE = "gave handed passed sold offered sent brought threw showed".split()
GIVE = "give hand pass sell offer send bring throw show".split()
MOTIONS = [
    "went to", "were at", "walked to", "arrived at", "had dinner at", "worked at",
    "got lost near", "came to", "drove to", "met at",
]

# Greater-than: what can last from one year to another.
EVENTS = (
    "war campaign voyage plague siege famine strike trial reign drought project "
    "expedition journey crisis peace"
).split()
CENTURIES = ["11", "12", "13", "14", "15", "16", "17", "18", "19", "20"]
YEARS = [f"{year:02d}" for year in range(100)]

# Agreement: singular, plural.
NOUNS = [
    ("key", "keys"), ("cabinet", "cabinets"), ("dog", "dogs"), ("cat", "cats"),
    ("teacher", "teachers"), ("student", "students"), ("car", "cars"),
    ("table", "tables"), ("house", "houses"), ("tree", "trees"), ("chair", "chairs"),
    ("doctor", "doctors"), ("farmer", "farmers"), ("bird", "birds"), ("lamp", "lamps"),
    ("bottle", "bottles"), ("boat", "boats"), ("friend", "friends"),
    ("horse", "horses"), ("picture", "pictures"), ("door", "doors"), ("window", "windows"),
    ("guard", "guards"), ("pilot", "pilots"),
]
PREPOSITIONS = ["near", "behind", "beside", "above", "under", "with", "by"]
ADJECTIVES = (
    "red blue green old new big small happy tired clean dark nice long good quiet"
).split()
# Words that only occur in random sequences, so that simple prompts of one's own
# still split into words. Their embeddings are trained for copying and no more.
COMMON_WORDS = (
    "I you we our your my me us this that these those who what which where how why "
    "not no yes can could will would should may must do does did done make made see "
    "saw know knew think thought say says take took get find found one two three four "
    "five six seven eight nine ten first last next other another some any every all "
    "more most very much many few day night morning evening week month time today "
    "city town country street road food water bread milk tea wine fish bear wolf "
    "father mother brother sister son daughter king queen man woman men women boy girl "
    "boys girls child children people world life name word number letter capital France "
    "Paris Germany Berlin Italy Rome Spain Madrid England London into out up down off "
    "over again now here there if or so too only just like love likes loves hate left "
    "right open closed black white hot cold sun moon star rain snow"
).split()
