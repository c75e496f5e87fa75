"""Searches in all their shapes, each with the statement that one would write
by hand for it: of the same rows, over the same tables, with all that is known
about the data, and without a word about consent.

A shape draws its values from a population. What they are in the tables, keys
and bounds, is asked of bench/criteria."""

import json
import random
import subprocess
from urllib.parse import quote

from .population import MRN, VITAL_SIGNS, Population
from .rowkey import row_key

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
TAG = "https://smarthealthit.org/tags|synthea-5-2019"
LAST_CHARACTER = "\U0010ffff"

HEIGHT, WEIGHT, PRESSURE = "8302-2", "29463-7", "55284-4"
SYSTOLIC = "8480-6"

ROW = "r.rid, r.type, r.id, r.version, r.updated, r.body"
ONE_PAGE = f"SELECT {ROW} FROM hie.resource r WHERE %s AND NOT r.deleted" \
           " ORDER BY r.rid LIMIT %d"

# What is best for these statements: one plan each, made once. OFFSET 0 in a
# subquery says where it begins.
OPTIONS = ("-c plan_cache_mode=force_generic_plan -c jit=off"
           " -c max_parallel_workers_per_gather=0")

SHAPES = []


class Shape:
    def __init__(self, name, sql, draw, about_one):
        self.name, self.sql, self.draw = name, sql, draw
        self.about_one = about_one       # of one patient: see growth


def shape(name, sql, about_one=False):
    """A function of a Draw: the path behind the base, and the parameters."""
    def add(function):
        SHAPES.append(Shape(name, " ".join(sql.split()), function, about_one))
        return function
    return add


def page(condition, count=20):
    return ONE_PAGE % (condition, count)


class Ask:
    """A value that bench/criteria knows: of the answer to one line, what
    `pick` makes of it."""

    def __init__(self, kind, name, value, pick):
        self.line = f"{kind}\t{name}\t{value}"
        self.pick = pick


def only(values):
    if len(values) != 1:
        raise ValueError(f"{len(values)} values instead of one")
    return values[0]


def key(kind, name, value):
    """The token of a criterion that has one."""
    return Ask(kind, name, value, lambda c: only(c["values"]))


def keys(kind, name, value):
    return Ask(kind, name, value, lambda c: "{" + ",".join(
        str(v) for v in c["values"]) + "}")


def resource(kind, id):
    return Ask(kind, "resource", id, lambda c: c)


def part(kind, name, value, member):
    """A part of a criterion with one value; of a chain, the mix."""
    return Ask(kind, name, value, lambda c: only(c["values"])[member])


def inner(kind, name, value, member=None, depth=1):
    """The same of the criterion at the end of a chain."""
    def pick(c):
        for _ in range(depth):
            c = only(only(c["values"])["criteria"])
        value = only(c["values"])
        return value if member is None else value[member]
    return Ask(kind, name, value, pick)


def mixes(kind, name, value, depth):
    """What a step of a chain is mixed with; the first has depth 0."""
    def pick(c):
        for _ in range(depth):
            c = only(only(c["values"])["criteria"])
        return only(c["values"])["mix"]
    return Ask(kind, name, value, pick)


def prefix(kind, name, value):
    """Slot and both ends of the values that begin so."""
    return [part(kind, name, value, "slot"), part(kind, name, value, "value"),
            Ask(kind, name, value,
                lambda c: only(c["values"])["value"] + LAST_CHARACTER)]


def slot(kind, name):
    """What a parameter is called in the tables."""
    return Ask(kind, "slot", name, lambda c: c)


def as_integer(key):
    return key - (1 << 32) if key >= 1 << 31 else key


def present(kind, name):
    """The same in present."""
    return Ask(kind, "slot", name, as_integer)


def reference(kind, name):
    """Under what its references stand in ref_params."""
    return Ask(kind, "reference", name, as_integer)


class Draw:
    """Values of one query: a patient, and which copy of it."""

    def __init__(self, population, facts, name, number):
        self.random = random.Random(f"{name} {number}")
        self.copies = population.loaded
        self.copy = random.Random(f"copy {name} {number}").randrange(
            self.copies)
        self.facts = facts
        self.person = self.random.choice(facts.people)
        self.patient = self.id(self.person.patient["id"])
        self.mrn = f"{MRN}|{self.id(self.person.mrn)}"

    def id(self, key):
        return Population.id(key, self.copy)

    def one(self, kind):
        """The id of a resource of the patient."""
        return self.id(self.random.choice(self.person.of[kind])["id"])

    def code(self):
        """Of an observation of the patient."""
        return f"{LOINC}|{self.random.choice(sorted(self.person.codes))}"


class Person:
    def __init__(self, resources):
        self.patient = resources[0]
        self.mrn = self.patient["identifier"][0]["value"]
        self.of, self.codes = {}, set()
        for r in resources:
            self.of.setdefault(r["resourceType"], []).append(r)
            if r["resourceType"] == "Observation":
                self.codes.add(r["code"]["coding"][0]["code"])
        self.name = self.patient["name"][0]
        self.family = self.name["family"]


class Facts:
    """What can be drawn. `sql` asks the database."""

    def __init__(self, population, sql):
        self.people = [Person(p) for p in population.people
                       if any(r["resourceType"] == "Condition" for r in p)]
        self.sizes = {}
        self.conditions = {}
        for person in self.people:
            for r in person.of["Observation"]:
                code = r["code"]["coding"][0]["code"]
                for c in [r, *r.get("component", [])]:
                    if "valueQuantity" in c:
                        code = c["code"]["coding"][0]["code"]
                        self.sizes.setdefault(code, []).append(
                            c["valueQuantity"]["value"])
            for r in person.of["Condition"]:
                code = r["code"]["coding"][0]["code"]
                self.conditions[code] = self.conditions.get(code, 0) + 1
        for values in self.sizes.values():
            values.sort()
        self.frequent = [f"{LOINC}|{c}" for c in (
            HEIGHT, WEIGHT, PRESSURE, "72166-2", "39156-5")]
        self.some_conditions = [f"{SNOMED}|{c}" for c, n in sorted(
            self.conditions.items()) if 2 <= n <= 20]
        # a few thousand rows among 2,400 patients
        self.counted = [f"{LOINC}|{c}" for c in (
            "718-7", "6690-2", "2885-2", "1975-2", "14959-1")]
        self.times = [row[0] for row in sql(
            "SELECT to_char(updated AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD\"T\"HH24:MI:SS.MSZ') FROM (SELECT DISTINCT updated"
            " FROM hie.resource WHERE type = 'Observation') u ORDER BY 1")]

    def above(self, draw, code):
        """A quantity that one to five of a hundred are greater than."""
        values = self.sizes[code]
        return values[int(len(values) * draw.random.uniform(0.95, 0.99))]


def queries(population, sql, build, count, shapes=None):
    """Of each shape: the paths, and the lines of parameters. Equal for equal
    populations."""
    facts = Facts(population, sql)
    drawn = {}
    for s in shapes or SHAPES:
        drawn[s.name] = [s.draw(Draw(population, facts, s.name, n))
                         for n in range(count)]
    asks = [v for lines in drawn.values() for _, values in lines
            for v in values if isinstance(v, Ask)]
    asked = sorted({a.line for a in asks})
    done = subprocess.run([build / "bench" / "criteria"], text=True,
                          input="".join(line + "\n" for line in asked),
                          stdout=subprocess.PIPE, check=True).stdout
    answers = dict(zip(asked, map(json.loads, done.splitlines())))

    def text(value):
        if isinstance(value, Ask):
            value = value.pick(answers[value.line])
        return str(value)

    return {name: ([quote(path, safe="/?&=:,$%") for path, _ in lines],
                   ["\t".join(text(v) for v in values)
                    for _, values in lines])
            for name, lines in drawn.items()}


# What a clinician asks of one patient.

def of_patient(d, kind, name, value):
    return [key(kind, "patient", d.patient), key(kind, name, value)]


@shape("patient and code", page("r.tokens @> ARRAY[$1::bigint, $2]"), True)
def _(d):
    code = d.code()
    return (f"/Observation?patient={d.patient}&code={code}",
            of_patient(d, "Observation", "code", code))


@shape("patient, code and date",
       page("r.tokens @> ARRAY[$1::bigint, $2] AND EXISTS (SELECT FROM"
            " hie.resource_date d WHERE d.rid = r.rid AND d.slot = $3::bigint"
            " AND d.low >= $4::bigint AND d.low < $5::bigint OFFSET 0)"),
       True)
def _(d):
    code, year = d.code(), d.random.randrange(2000, 2016)
    since, until = f"ge{year}", f"lt{year + 3}"
    return (f"/Observation?patient={d.patient}&code={code}&date={since}"
            f"&date={until}", of_patient(d, "Observation", "code", code)
            + [part("Observation", "date", since, "slot"),
               part("Observation", "date", since, "a"),
               part("Observation", "date", until, "a")])


DATED = """CROSS JOIN LATERAL (SELECT d.low, d.high
    FROM hie.resource_date d WHERE d.rid = r.rid AND d.slot = $%d::bigint
    OFFSET 0) d"""


@shape("latest of a code", f"""
    SELECT {ROW} FROM hie.resource r {DATED % 3}
    WHERE r.tokens @> ARRAY[$1::bigint, $2] AND NOT r.deleted
    ORDER BY d.high DESC, r.rid DESC LIMIT 1""", True)
def _(d):
    code = d.code()
    return (f"/Observation?patient={d.patient}&code={code}&_sort=-date"
            "&_count=1", of_patient(d, "Observation", "code", code)
            + [slot("Observation", "date")])


@shape("observations of a patient",
       page("r.tokens @> ARRAY[$1::bigint]", 50), True)
def _(d):
    return (f"/Observation?patient={d.patient}&_count=50",
            [key("Observation", "patient", d.patient)])


@shape("encounters since", f"""
    SELECT {ROW} FROM hie.resource r {DATED % 2}
    WHERE r.tokens @> ARRAY[$1::bigint] AND NOT r.deleted
    AND d.high > $3::bigint ORDER BY d.high DESC, r.rid DESC LIMIT 20""", True)
def _(d):
    since = f"ge{d.random.randrange(1990, 2015)}-01-01"
    return (f"/Encounter?patient={d.patient}&date={since}&_sort=-date",
            [key("Encounter", "patient", d.patient),
             part("Encounter", "date", since, "slot"),
             part("Encounter", "date", since, "a")])


@shape("patient and status", page("r.tokens @> ARRAY[$1::bigint, $2]"), True)
def _(d):
    return (f"/MedicationRequest?patient={d.patient}&status=stopped",
            of_patient(d, "MedicationRequest", "status", "stopped"))


@shape("one of several codes", page("r.tokens @> ARRAY[$1::bigint] AND"
                                    " r.tokens && $2::bigint[]"), True)
def _(d):
    codes = ",".join(d.code() for _ in range(4))
    return (f"/Observation?patient={d.patient}&code={codes}",
            [key("Observation", "patient", d.patient),
             keys("Observation", "code", codes)])


@shape("not", page("r.tokens @> ARRAY[$1::bigint]"
                   " AND NOT r.tokens @> ARRAY[$2::bigint]"), True)
def _(d):
    return (f"/Condition?patient={d.patient}&clinical-status:not=resolved",
            of_patient(d, "Condition", "clinical-status", "resolved"))


@shape("missing", page("r.tokens @> ARRAY[$1::bigint]"
                       " AND NOT r.present @> ARRAY[$2::integer]"), True)
def _(d):
    return (f"/Condition?patient={d.patient}&abatement-date:missing=true",
            [key("Condition", "patient", d.patient),
             present("Condition", "abatement-date")])


@shape("tag and profile", page("r.tokens @> ARRAY[$1::bigint, $2, $3]"), True)
def _(d):
    return (f"/Observation?patient={d.patient}&_profile={VITAL_SIGNS}"
            f"&_tag={TAG}", [key("Observation", "patient", d.patient),
                             key("Observation", "_profile", VITAL_SIGNS),
                             key("Observation", "_tag", TAG)])


# None of these has a patient as its performer.
@shape("compartment", page("r.tokens @> ARRAY[$1::bigint, $2]"), True)
def _(d):
    code = d.code()
    return (f"/Patient/{d.patient}/Observation?code={code}",
            of_patient(d, "Observation", "code", code))


@shape("two types", page("r.tokens && ARRAY[$1::bigint, $2]"), True)
def _(d):
    return (f"/?_type=Condition,Procedure&patient={d.patient}",
            [key("Condition", "patient", d.patient),
             key("Procedure", "patient", d.patient)])


@shape("reference of a type", page("r.tokens @> ARRAY[$1::bigint]"), True)
def _(d):
    encounter = f"Encounter/{d.one('Encounter')}"
    return (f"/Observation?encounter={encounter}",
            [key("Observation", "encounter", encounter)])


@shape("filter", page("r.tokens @> ARRAY[$1::bigint, $2]"), True)
def _(d):
    code = d.code()
    return (f"/Observation?_filter=patient eq \"{d.patient}\" and code eq"
            f" {code}", of_patient(d, "Observation", "code", code))


# Finding people.

@shape("identifier", page("r.tokens @> ARRAY[$1::bigint]"), True)
def _(d):
    return (f"/Patient?identifier={d.mrn}",
            [key("Patient", "identifier", d.mrn)])


@shape("value of an identifier", page("r.tokens @> ARRAY[$1::bigint]"), True)
def _(d):
    value = d.mrn.partition("|")[2]
    return (f"/Patient?identifier={value}",
            [key("Patient", "identifier", value)])


BY_STRINGS = f"""
    SELECT {ROW} FROM (SELECT DISTINCT s.rid FROM (
    SELECT s.rid FROM hie.resource_string s WHERE s.slot = $1::bigint
    AND %s OFFSET 0) s ORDER BY s.rid LIMIT 20) s
    JOIN hie.resource r ON r.type = 'Patient' AND r.rid = s.rid
    ORDER BY r.rid"""


@shape("beginning of a name",
       BY_STRINGS % "s.value >= $2::text AND s.value < $3::text")
def _(d):
    name = d.person.family[:4].lower()
    return f"/Patient?name={name}", prefix("Patient", "name", name)


@shape("part of a name", BY_STRINGS % "strpos(s.value, $2::text) > 0")
def _(d):
    name = d.person.family[1:5].lower()
    return (f"/Patient?name:contains={name}",
            [part("Patient", "name:contains", name, "slot"),
             part("Patient", "name:contains", name, "value")])


@shape("exact name", page("r.tokens @> ARRAY[$1::bigint]"))
def _(d):
    return (f"/Patient?family:exact={d.person.family}",
            [key("Patient", "family:exact", d.person.family)])


@shape("family and given name", f"""
    SELECT {ROW} FROM hie.resource r
    WHERE r.type = 'Patient' AND r.rid = ANY (ARRAY(
    SELECT s.rid FROM hie.resource_string s WHERE s.slot = $1::bigint
    AND s.value >= $2::text AND s.value < $3::text
    INTERSECT SELECT s.rid FROM hie.resource_string s
    WHERE s.slot = $4::bigint AND s.value >= $5::text
    AND s.value < $6::text)) AND NOT r.deleted ORDER BY r.rid LIMIT 20""")
def _(d):
    given = d.person.name["given"][0][:4]
    return (f"/Patient?family={d.person.family}&given={given}",
            prefix("Patient", "family", d.person.family)
            + prefix("Patient", "given", given))


BORN = """hie.resource_date d WHERE d.slot = $1::bigint
    AND d.low >= $2::bigint AND d.low < $3::bigint"""


def born(d):
    year = d.random.randrange(1930, 2010)
    since, until = f"ge{year}-01-01", f"lt{year + 4}-01-01"
    return (f"birthdate={since}&birthdate={until}",
            [part("Patient", "birthdate", since, "slot"),
             part("Patient", "birthdate", since, "a"),
             part("Patient", "birthdate", until, "a")])


@shape("birth dates", f"""
    SELECT {ROW} FROM (SELECT d.rid FROM {BORN} ORDER BY d.rid LIMIT 20) d
    JOIN hie.resource r ON r.type = 'Patient' AND r.rid = d.rid
    ORDER BY r.rid""")
def _(d):
    window, values = born(d)
    return f"/Patient?{window}", values


@shape("birth dates and gender", f"""
    SELECT {ROW} FROM hie.resource r WHERE r.type = 'Patient'
    AND r.rid = ANY (ARRAY(SELECT d.rid FROM {BORN}))
    AND r.tokens @> ARRAY[$4::bigint] ORDER BY r.rid LIMIT 20""")
def _(d):
    window, values = born(d)
    return (f"/Patient?{window}&gender=female",
            values + [key("Patient", "gender", "female")])


@shape("sorted by name", f"""
    SELECT {ROW} FROM (SELECT s.rid, s.slot, s.value
    FROM hie.resource_string s WHERE s.slot = $1::bigint
    ORDER BY s.value, s.rid OFFSET 0) s CROSS JOIN LATERAL (
    SELECT {ROW} FROM hie.resource r WHERE r.type = 'Patient'
    AND r.rid = s.rid AND r.tokens @> ARRAY[$2::bigint] OFFSET 0) r
    WHERE NOT EXISTS (SELECT FROM hie.resource_string t WHERE t.rid = s.rid
    AND t.slot = s.slot AND t.value < s.value OFFSET 0)
    ORDER BY s.value, s.rid LIMIT 20""")
def _(d):
    gender = d.random.choice(["male", "female"])
    return (f"/Patient?gender={gender}&_sort=family",
            [slot("Patient", "family"),
             key("Patient", "gender", gender)])


@shape("200 identifiers", page("r.tokens && $1::bigint[]", 200))
def _(d):
    wanted = [Population.id(p.mrn, d.random.randrange(d.copies))
              for p in d.random.choices(d.facts.people, k=200)]
    values = ",".join(wanted)        # a longer line no server would read
    return (f"/Patient?identifier={values}&_count=200",
            [keys("Patient", "identifier", values)])


@shape("50 ids", f"""
    SELECT {ROW} FROM hie.resource r WHERE r.key = ANY ($1::bigint[])
    AND NOT r.deleted ORDER BY r.rid LIMIT 50""")
def _(d):
    ids = [d.id(r["id"]) for r in d.random.choices(
        d.person.of["Observation"], k=50)]
    return (f"/Observation?_id={','.join(ids)}&_count=50",
            ["{" + ",".join(str(row_key("Observation", i)) for i in ids)
             + "}"])


# Over all patients.

# A frequent token: as many rows of the type as it takes, in their order.
WALK = f"""
    SELECT {ROW} FROM hie.resource r WHERE r.type = 'Observation'
    AND (r.tokens @> ARRAY[$1::bigint]) IS TRUE AND NOT r.deleted
    ORDER BY r.rid LIMIT %d"""


@shape("frequent code", WALK % 20)
def _(d):
    code = d.random.choice(d.facts.frequent)
    return f"/Observation?code={code}", [key("Observation", "code", code)]


@shape("100 of a frequent code", WALK % 100)
def _(d):
    code = d.random.choice(d.facts.frequent)
    return (f"/Observation?code={code}&_count=100",
            [key("Observation", "code", code)])


# What is deleted has no tokens.
@shape("count of a code", """
    SELECT count(*) FROM hie.resource r
    WHERE r.tokens @> ARRAY[$1::bigint]""")
def _(d):
    code = d.random.choice(d.facts.counted)
    return (f"/Observation?code={code}&_summary=count",
            [key("Observation", "code", code)])


@shape("accurate total", f"""
    SELECT {ROW}, (SELECT count(*) FROM hie.resource c
    WHERE c.tokens @> ARRAY[$1::bigint]) FROM hie.resource r
    WHERE r.tokens @> ARRAY[$1::bigint] ORDER BY r.rid LIMIT 20""")
def _(d):
    code = d.random.choice(d.facts.some_conditions)
    return (f"/Condition?code={code}&_total=accurate",
            [key("Condition", "code", code)])


@shape("latest of all of a frequent code", f"""
    SELECT {ROW} FROM hie.resource_date d
    CROSS JOIN LATERAL (SELECT * FROM hie.resource r
    WHERE r.type = 'Observation' AND r.rid = d.rid
    AND (r.tokens @> ARRAY[$1::bigint]) IS TRUE AND NOT r.deleted OFFSET 0) r
    WHERE d.slot = $2::bigint ORDER BY d.low DESC, d.rid DESC LIMIT 20""")
def _(d):
    code = d.random.choice(d.facts.frequent)
    return (f"/Observation?code={code}&_sort=-date",
            [key("Observation", "code", code),
             slot("Observation", "date")])


@shape("code in a week", f"""
    SELECT {ROW} FROM hie.resource_date d
    JOIN hie.resource r ON r.type = 'Observation' AND r.rid = d.rid
    WHERE d.slot = $2::bigint AND d.low >= $3::bigint AND d.low < $4::bigint
    AND (r.tokens @> ARRAY[$1::bigint]) IS TRUE AND NOT r.deleted
    ORDER BY r.rid LIMIT 20""")
def _(d):
    code = d.random.choice(d.facts.frequent)
    month = f"{d.random.randrange(2010, 2019)}-{d.random.randrange(1, 13):02}"
    since, until = f"ge{month}-10", f"lt{month}-17"
    return (f"/Observation?code={code}&date={since}&date={until}",
            [key("Observation", "code", code),
             part("Observation", "date", since, "slot"),
             part("Observation", "date", since, "a"),
             part("Observation", "date", until, "a")])


GREATER = f"""
    SELECT {ROW} FROM (SELECT DISTINCT n.rid FROM hie.resource_number n
    WHERE n.%s = $1::bigint AND n.unit = $2::bigint
    AND n.unit_float >= $3::numeric::float8 AND n.unit_low > $3::numeric
    ORDER BY n.rid LIMIT %s) n
    JOIN hie.resource r ON r.type = 'Observation' AND r.rid = n.rid
    %s ORDER BY r.rid LIMIT 20"""


def greater(name, value):
    return [part("Observation", name, value, m)
            for m in ("slot", "unit", "b")]


@shape("quantity of a code", GREATER % (
    "slot", "ALL", "WHERE r.tokens @> ARRAY[$4::bigint]"))
def _(d):
    code, unit = d.random.choice([(HEIGHT, "cm"), (WEIGHT, "kg")])
    value = f"gt{d.facts.above(d, code)}|{UCUM}|{unit}"
    return (f"/Observation?code={LOINC}|{code}&value-quantity={value}",
            greater("value-quantity", value)
            + [key("Observation", "code", f"{LOINC}|{code}")])


@shape("code with quantity", GREATER % ("part", 20, ""))
def _(d):
    code, unit = d.random.choice([(HEIGHT, "cm"), (WEIGHT, "kg")])
    value = f"{LOINC}|{code}$gt{d.facts.above(d, code)}|{UCUM}|{unit}"
    return (f"/Observation?code-value-quantity={value}",
            greater("code-value-quantity", value))


@shape("component with quantity", GREATER % ("part", 20, ""))
def _(d):
    value = (f"{LOINC}|{SYSTOLIC}$gt{d.facts.above(d, SYSTOLIC)}"
             f"|{UCUM}|mm[Hg]")
    return (f"/Observation?component-code-value-quantity={value}",
            greater("component-code-value-quantity", value))


@shape("words of a code", f"""
    SELECT {ROW} FROM hie.resource r WHERE r.tokens && ARRAY(
    SELECT t.key FROM hie.term t WHERE t.slot = $1::bigint
    AND t.value >= $2::text AND t.value < $3::text)
    AND NOT r.deleted ORDER BY r.rid LIMIT 20""")
def _(d):
    word = d.random.choice(["hyperl", "osteo", "sprain", "asthma", "chronic"])
    return (f"/Condition?code:text={word}",
            prefix("Condition", "code:text", word))


@shape("updated in a window", f"""
    SELECT {ROW} FROM (SELECT * FROM hie.resource r
    WHERE r.type = 'Observation' AND r.updated >= $1::timestamptz
    AND r.updated < $2::timestamptz AND NOT r.deleted OFFSET 0) r
    ORDER BY r.rid LIMIT 20""")
def _(d):
    times = d.facts.times
    n = d.random.randrange(len(times) - 1)
    return (f"/Observation?_lastUpdated=ge{times[n]}"
            f"&_lastUpdated=lt{times[n + 1]}", [times[n], times[n + 1]])


@shape("content", f"""
    SELECT {ROW} FROM (SELECT t.rid FROM hie.resource_text t
    WHERE t.words @@ $1::tsquery ORDER BY t.rid OFFSET 0) t
    CROSS JOIN LATERAL (SELECT * FROM hie.resource r
    WHERE r.type = 'Condition' AND r.rid = t.rid OFFSET 0) r
    ORDER BY t.rid LIMIT 20""")
def _(d):
    word = d.random.choice(["hyperlipidemia", "osteoporosis", "migraine",
                            "concussion", "appendicitis"])
    return f"/Condition?_content={word}", [f"'{word}'"]


@shape("uri", page("r.tokens @> ARRAY[$1::bigint]"))
def _(d):
    url = Population.url(d.id(Population.made("ValueSet",
                                              d.random.randrange(25))))
    return f"/ValueSet?url={url}", [key("ValueSet", "url", url)]


# Chains.

@shape("chain", page("""r.tokens && ARRAY(SELECT p.key # $2::bigint
    FROM hie.resource p WHERE p.tokens @> ARRAY[$1::bigint])"""), True)
def _(d):
    name, value = "patient.identifier", d.mrn
    return (f"/Observation?{name}={value}",
            [inner("Observation", name, value),
             mixes("Observation", name, value, 0)])


@shape("chain by a name", page("""r.tokens && ARRAY(SELECT p.key # $4::bigint
    FROM hie.resource_string s JOIN hie.resource p ON p.type = 'Patient'
    AND p.rid = s.rid WHERE s.slot = $1::bigint AND s.value >= $2::text
    AND s.value < $3::text)"""))
def _(d):
    name, value = "subject:Patient.family", d.person.family
    return (f"/Condition?{name}={value}",
            prefix("Patient", "family", value)
            + [mixes("Condition", name, value, 0)])


@shape("chain of two", page("""r.tokens && ARRAY(SELECT e.key # $2::bigint
    FROM hie.resource e WHERE e.tokens && ARRAY(SELECT p.key # $3::bigint
    FROM hie.resource p WHERE p.tokens @> ARRAY[$1::bigint]))"""), True)
def _(d):
    name, value = "encounter.patient.identifier", d.mrn
    return (f"/Condition?{name}={value}",
            [inner("Condition", name, value, depth=2),
             mixes("Condition", name, value, 0),
             mixes("Condition", name, value, 1)])


# Of these conditions each has one patient.
@shape("has", page("""r.key = ANY (ARRAY(SELECT DISTINCT c.patients[1]
    FROM hie.resource c WHERE c.tokens @> ARRAY[$1::bigint]))
    AND r.tokens @> ARRAY[$2::bigint]"""))
def _(d):
    code = d.random.choice(d.facts.some_conditions)
    name = "_has:Condition:patient:code"
    return (f"/Patient?{name}={code}&gender=female",
            [inner("Patient", name, code),
             key("Patient", "gender", "female")])


@shape("has in has", page("""r.key = ANY (ARRAY(SELECT DISTINCT u.key
    FROM hie.resource e, unnest(e.ref_params, e.ref_keys) u (param, key)
    WHERE e.key = ANY (ARRAY(SELECT DISTINCT v.key FROM hie.resource c,
    unnest(c.ref_params, c.ref_keys) v (param, key)
    WHERE c.tokens @> ARRAY[$1::bigint] AND v.param = $2::integer))
    AND u.param = $3::integer))"""))
def _(d):
    code = d.random.choice(d.facts.some_conditions)
    name = "_has:Encounter:practitioner:_has:Condition:encounter:code"
    return (f"/Practitioner?{name}={code}",
            [inner("Practitioner", name, code, depth=2),
             reference("Condition", "encounter"),
             reference("Encounter", "practitioner")])


# Pages with what belongs to them.

@shape("include", f"""
    WITH m AS (SELECT {ROW}, r.patients FROM hie.resource r
    WHERE r.key = $1::bigint AND NOT r.deleted)
    SELECT rid, type, id, version, updated, body FROM m
    UNION ALL SELECT {ROW} FROM m JOIN hie.resource r
    ON r.key = m.patients[1]""", True)
def _(d):
    encounter = d.one("Encounter")
    return (f"/Encounter?_id={encounter}&_include=Encounter:subject",
            [row_key("Encounter", encounter)])


@shape("include of a page", f"""
    WITH m AS (SELECT {ROW}, r.ref_params, r.ref_keys, r.patients
    FROM hie.resource r WHERE r.tokens @> ARRAY[$1::bigint] AND NOT r.deleted
    ORDER BY r.rid LIMIT 50)
    SELECT rid, type, id, version, updated, body FROM m
    UNION ALL SELECT {ROW} FROM hie.resource r WHERE r.key = ANY (ARRAY(
    SELECT u.key FROM m, unnest(m.ref_params, m.ref_keys) u (param, key)
    WHERE u.param = $2::integer UNION SELECT m.patients[1] FROM m))""", True)
def _(d):
    return (f"/Observation?patient={d.patient}&_count=50"
            "&_include=Observation:encounter&_include=Observation:subject",
            [key("Observation", "patient", d.patient),
             reference("Observation", "encounter")])


@shape("reverse include", f"""
    SELECT {ROW} FROM hie.resource r WHERE r.key = $1::bigint AND NOT r.deleted
    UNION ALL SELECT {ROW} FROM hie.resource r
    WHERE r.tokens @> ARRAY[$2::bigint] AND NOT r.deleted""", True)
def _(d):
    return (f"/Patient?_id={d.patient}&_revinclude=Condition:patient",
            [row_key("Patient", d.patient),
             key("Condition", "patient", d.patient)])


@shape("include again", f"""
    WITH m AS (SELECT {ROW}, r.ref_params, r.ref_keys FROM hie.resource r
    WHERE r.key = $1::bigint AND NOT r.deleted),
    e AS (SELECT {ROW}, r.ref_params, r.ref_keys
    FROM m, unnest(m.ref_params, m.ref_keys) u (param, key)
    JOIN hie.resource r ON r.key = u.key WHERE u.param = $2::integer)
    SELECT rid, type, id, version, updated, body FROM m
    UNION ALL SELECT rid, type, id, version, updated, body FROM e
    UNION ALL SELECT {ROW}
    FROM e, unnest(e.ref_params, e.ref_keys) u (param, key)
    JOIN hie.resource r ON r.key = u.key WHERE u.param = $3::integer""", True)
def _(d):
    observation = d.one("Observation")
    return (f"/Observation?_id={observation}&_include=Observation:encounter"
            "&_include:iterate=Encounter:service-provider",
            [row_key("Observation", observation),
             reference("Observation", "encounter"),
             reference("Encounter", "service-provider")])


@shape("reports with results", f"""
    WITH m AS (SELECT {ROW}, r.ref_params, r.ref_keys
    FROM hie.resource r {DATED % 3}
    WHERE r.tokens @> ARRAY[$1::bigint] AND NOT r.deleted
    ORDER BY d.high DESC, r.rid DESC LIMIT 5)
    SELECT rid, type, id, version, updated, body FROM m
    UNION ALL SELECT {ROW} FROM hie.resource r WHERE r.key = ANY (ARRAY(
    SELECT u.key FROM m, unnest(m.ref_params, m.ref_keys) u (param, key)
    WHERE u.param = $2::integer))""", True)
def _(d):
    return (f"/DiagnosticReport?patient={d.patient}&_sort=-date&_count=5"
            "&_include=DiagnosticReport:result",
            [key("DiagnosticReport", "patient", d.patient),
             reference("DiagnosticReport", "result"),
             slot("DiagnosticReport", "date")])
