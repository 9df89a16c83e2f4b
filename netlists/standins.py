"""What stands in where a netlist names a part and does not bring its model: cards of the catalogue, potentiometers, panel switches.

Semiconductors named on D, Q, J and M lines come from the catalogue by name. An X line whose subcircuit is nowhere becomes an
op-amp, a tube, a rectifier or an optocoupler if its name says so; what stood in is told, and `strict` refuses it.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

from circuits.circuit import GROUND, Card
from circuits.devices import catalogue
from circuits.devices.families import FAMILIES
from circuits.elements import Device, Resistor
from circuits.expressions import Call, Value
from netlists.assembly import Assembly, Fields
from netlists.trees import expression

# families of parts whose members differ too little to be heard in a pedal: one card stands for all that the catalogue lacks
_OPAMP_NAMES = re.compile(r"(tl0[5-9]\d|nju?\d+|lm(1458|2904|358|324|386|833|301|318|833|4562|837)|lf(347|351|353|356|411|412)|ne(5534|5532|4558)|sa5532|"
                          r"opa\d+|ad\d{3,4}|ada\d+|lt1\d{3}|lt6\d{3}|ltc\d+|mc(1458|33078|33079|4558)|rc45\d\d|(n?j[mr]c?)\d+|njm\d+|ca31[34]0|ua\d+|mcp6\d+|"
                          r"max4\d+|op\d\d+|ts92[0-9]|tlc?\d+|ba\d+|m5\d+|level\d?\.?\d?[ab]?|universalopamps?\d?|op-?amp\w*|\w*opamp)(single|dual|quad|[a-d])?", re.IGNORECASE)
_GENERIC_OPAMP = "tl072"
_UNIVERSAL = {"avol": "aol", "aol": "aol", "gbw": "gbw", "slew": "slew", "rin": "rin", "vos": "vos", "rout": "rout"}
# parts that the catalogue lacks, and the nearest that it has: other packages of the same die, close relatives
_NEAREST = tuple((re.compile(pattern), card) for pattern, card in (
    (r"bc(84[678]|54[678]|182|237|338|10[78]|17[12]|207|17[12])[abc]?(-\d+)?\w?", "bc547b"), (r"bc(849|850|549|550|109|184|239|414|413)[abc]?\w?", "bc549c"),
    (r"bc337(-\d+)?", "bc337-25"), (r"bc(327|328|807)(-\d+)?", "bc327-25"), (r"bc817(-\d+)?", "bc337-25"),
    (r"bc(85[678]|55[678]|307|212|213|214|177|178|179|261|308|309)[abc]?(-\d+)?\w?", "bc557b"), (r"bc(859|860|559|560|415|416)[abc]?\w?", "bc560c"),
    (r"(2n|pn|mmbt|mps|zetex|kn|pmbt)?(2222|2219|2218|3700)a?\w*", "2n2222"), (r"(2n|pn|mmbt|mps)?4401\w*", "2n4401"),
    (r"(2n|pn|mmbt|mps|pmbt)?(2907|2905|2904)a?\w*", "2n2907"), (r"(2n|pn|mmbt|mps)?(4403|4402)\w*", "2n4403"), (r"(2n|pn|mmbt|mps)?(5401|5400|4250|3638|3702|3703|3644|4126|4125|4249|4121|4122)a?\w*", "2n3906"),
    (r"(mmbt|sst|pn|mps|pzt)?3904(lt1)?\w*", "2n3904"), (r"(mmbt|sst|pn|mps|pzt)?3906(lt1)?\w*", "2n3906"), (r"(2n|pn|mmbt|mps)?508[6]\w*", "2n5087"), (r"(2n|pn|mmbt|mps)?(5088|5209|5961|5962)\w*", "2n5088"), (r"(2n|pn|mmbt|mps)?(5551|5550|3565|3859|3391|3392|3415|2712|5172|3704|3705|3568|2924|2925|2926|3711|4123|4124|5818|3403|5133|1308|388)a?\w*", "2n3904"),
    (r"mpsa(06|05|42|43)\w?", "2n5551"), (r"mpsa(56|55|92|93)\w?", "2n5401"), (r"mpsa14\w?", "mpsa13"), (r"2sc(1845|2240|3324|2705|2459|1222)\w*", "2sc2240"), (r"2sa(970|992|1312|1049|991|893|872)\w*", "2sa970"), (r"2sc(5200|3281|2922|3858|4793|1969|1061)\w*", "tip41c"), (r"2sa(1943|1302|1216|1494|1837)\w*", "tip42c"),
    (r"(s|ss|c|mps|tss|h|ksp|ktc)?(9011|9013|9014|9016|9018|8050|1008)[a-j]?\w?", "2n3904"), (r"(s|ss|a|mps|tss|h|ksp|kta)?(9012|9015|8550|1023)[a-j]?\w?", "2n3906"),
    (r"2sc\d+\w*", "2sc1815"), (r"2s[ab]\d+\w*", "2sa1015"), (r"2sd\d+\w*", "bd139"), (r"(tip|mje|bd)(29|31|33|35|41|120|121|122|13003|15030|243|53\d|911|907|3055)\w*", "tip31c"), (r"(tip|mje|bd)(30|32|34|36|42|125|126|127|15031|244|2955|912)\w*", "tip32c"),
    (r"(bd(13[579]|23[79]|43[79]|169|165)|bf4(20|22|69)|bc368|bc63[59]|bc14[01]|ttc\d+)\w*", "bd139"), (r"(bd(13[68]|140|238|240|43[68]|170|166)|bf4(21|23|70)|bc369|bc6(36|40)|bc16[01]|tta\d+)\w*", "bd140"), (r"2n305[45]\w*|mj1500[13]\w*|mj802|mj2119\d", "tip41c"),
    (r"(1n4148|1n4448|1n4150|1n4151|1n4153|1n4154|1n4446|1n4149|1n4447|1n4449|1n916|1n3064|1n3600|bas16|bas21|bas19|bas20|bas316|bas32|bav\d\d|baw\d\d|baw56|bay\d\d|1ss\d+|1s1588|1s2473|ls4148|ll4148|mmbd\d+|mmsd\d+|kd52\d|ds442|ma150)\w*", "1n4148"),
    (r"(1n400[1-7]|1n540\d|1n539\d|1n493\d|s1[a-m]|rl20\d|m[1-7]|10d\d+|1n2071|1n3195|1n1763|mra4\d+|gf1\w)\w?", "1n4007"), (r"(rfu|uf|by|byv|byt|byw|ba|mur|murs|her|fr|es|us|stth|muh|egp|hfa|rhrp|rhrg|mbrb|vs|rf)_?\d+\w*", "1n4007"), (r"(mbr|mbrs|ss|sk|sr|stps|b)\d+\w*", "1n5819"),
    (r"(1n581[89]|1n582[0-9]|sb\d+|b?ys\d+)\w*", "1n5817"), (r"(bat|bas)(17|4[0-9]|5[0-9]|6[0-9]|7[0-9]|8[1-6])\w*|1n6263\w*|hsms\w+|sd10[13]\w*|ll10[13]\w*", "bat54"),
    (r"(mmbf|pmbf|sst|mmbfj)?j?(201|202|203|204|sst201)", "j201"), (r"(2n|mmbf)(5484|5486)", "2n5485"), (r"bf24[456][abc]?|bf256[abc]?|2n38(22|23)|mpf10[3-9]|bfw1\d|kp30\w+", "2n3819"), (r"(sst|pmbf|mmbf|mmbfj|lsj)?j?11[0-3]", "j113"),
    (r"2sk(117|209|369|246|184|68|30\w*|364|363|240|2145|880|208)\w*", "2sk30a"), (r"(lsk|2sk)(170|147|389)\w*", "2sk170"), (r"2sj(74|103|105|109|72)\w*", "2n5460"), (r"2n546[0-5]", "2n5460"),
    (r"(oc(2[2-9]|3[0-9]|4[0-9]|7[0-9]|8[0-9]|1[34][0-9])|ac(107|12[1-9]|13[0-9]|15[0-9]|16[0-9]|188|180)|sft\d+|asy\d+|asz\d+|gt\d+|mp(20|38|39|4[0-2])\w?|nkt\d+|2n(404|527|508|1303|1305|1307|1309|1376|2613)|2sb\d+|cv7\d+|ad1\d\d)\w?", "ac128"),
    (r"(oa(5|7|9|10|47|70|7[0-9]|8[0-9]|9[0-9]|1\d\d)|aa1\d\d|aa[yz]\d+|d9[a-z]|d2[0-9]\w?|d18|d310|1n(34|38|48|51|54|55|56|58|60|63|64|67|69|70|81|82|87|88|90|95|100|108|126|127|191|198|277|283|292|294|295|541|542|617|618|695|933)|1s188\w*|1k60|bat|ge|germanium)\w?", "1n34a"),
    (r"(irf(p|b|z|u|r)?|buz|stp|ipp|fqp|std|irl|irlz|fdp|huf|ntd|mtp|irll|irlml)_?\d+\w*", "irf530"), (r"(irf|irfp|fqp)9\d\d\w?", "irf9640"), (r"(vn|zvn|vp?n?|bss1\d\d|bsn\d|bs1\d\d|2n70\d\d|bss138|fdv30\d|dmn|dmg|ao3\d+|si2302)\w*", "2n7000"), (r"(zvp|bs250|tp06|vp06|bss84|bss92|si2301|fdv304|dmp)\w*", "bss84"),
    (r"2sk(1056|1057|1058|134|135|1529|1530|2220|2221|413)\w*", "irf530"), (r"2sj(160|161|162|49|50|200|201|351|352|118)\w*", "irf9640"), (r"ntr?4003n\w*", "2n7000"), (r"(blue|white|uv)\w*", "led_blue"), (r"(green|yellow|amber|red|orange)\w*", "led_red"), (r"led\w*|\w*led|hlmp\w*|ln\w+|tlhr\w+|l53\w+", "led_red")))
# tubes that the catalogue lacks, and those of their size
_TUBES_NEAREST = tuple((re.compile(pattern), card) for pattern, card in (
    (r"(nh|t|x)?(we40[139]a|we415a|6as6|6k4p|6au6|6sj7|6sh7|5879|6cb6|ef8\d|ef9\d|ef37|ef36|6ak5|6j1p?|6ag5|6br7|6bs7|6aq6|403a|cv\d+)\w*", "ef86"), (r"(nh|t|x)?(7591|7868|6973|6dq6|6dg6|6w6|6cm5|6bg6|807|1614|1624|5932|350b|el3[2367]|el360|el509|6gb5|pl\d+|6ca5|6cd6|kt66|6p7s|6n7s)\w*", "6l6gc"),
    (r"(nh|t|x)?(6k6|6f6|6g6|6p1p|6p6s|5763|12aq5|6aq5|6as5|6005|50c5|35c5|6ay8|el41|el42|el90|el95)\w*", "6v6"), (r"(nh|t|x)?(5751|6n2p|12ax7|ecc83|7025|6av6|6at6|12av6|6aq7|12dw7|7247|7058|cv492)\w*", "12ax7"), (r"(nh|t|x)?(12at7|ecc81|ecc85|6ab4|6aq8|12az7)\w*", "12at7"),
    (r"(nh|t|x)?(12au7|ecc82|ecc99|6j5|6c5|6cg7|6fq7|6j6|5687|6350|7044|5965|6n6p|6n3p?|2c51|5670|396a|we396a|7730|(we)?407a|6463|6n3p?-?\w*|nutube|6p1|6as5_t)\w*", "12au7"), (r"(nh|t|x)?(6h30|6dj8|ecc88|e88cc|6922|pcc88|7308|6bq7|6bz7|6es8|6n23p)\w*", "6dj8"), (r"(nh|t|x)?(6sl7|5691|6sc7|6sq7|12sl7|ecc35|6n9s)\w*", "6sl7"), (r"(nh|t|x)?(6sn7|6bx7|6bl7|12sn7|5692|ecc3[23]|6n8s)\w*", "6sn7"),
    (r"(nh|t|x)?(45|50|211|845|300b|2a3|6b4g|6a3|6s4s|6as7|6080|6s33s|6c33c?)(ry|dm|c|b|g)?\w*", "2a3")))
_SERIES = (  # zeners whose names count volts up: the number of the first, and the volts from there on
    (4728, (3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1, 10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91, 100)),
    (746, (3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1, 10, 12)), (957, (6.8, 7.5, 8.2, 9.1, 10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33)),
    (5221, (2.4, 2.5, 2.7, 2.8, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.0, 6.2, 6.8, 7.5, 8.2, 8.7, 9.1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 25, 27, 28,
            30, 33, 36, 39, 43, 47, 51, 56, 60, 62, 68, 75, 82, 87, 91, 100)),
    (5333, (3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.0, 6.2, 6.8, 7.5, 8.2, 8.7, 9.1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24)))
_NUMBERED = re.compile(r"(?:1n|bzx1n|mmsz)(\d{3,4})[abcd]?", re.IGNORECASE)
_ZENER = re.compile(r"(bz[xyvt]\d\d\w?-?[abcdf]?(?P<volts>\d+v?\d*)|(umz|udz|edz|zpd|zd|zf|tfz|mmsz|rd|hz|zener)_?(?P<plain>\d+([v_.]\d+)?))[a-z]{0,4}", re.IGNORECASE)
_LETTER_KINDS = {"q": ("npn", "pnp"), "d": ("d",), "j": ("njf", "pjf"), "m": ("nmos", "pmos", "vdmos")}
_NEGATIVE = re.compile(r"2s[abj]\d|.*pnp|.*(pmos|pch|_p$)", re.IGNORECASE)
_COMMON = {("d", ""): "1n4148", ("q", ""): "2n3904", ("q", "pnp"): "2n3906", ("j", ""): "2n5457", ("j", "pjf"): "2n5460", ("m", ""): "irf530", ("m", "pmos"): "irf9640"}
_SHOWN = {"opamp": _GENERIC_OPAMP, "triode": "12au7", "pentode": "ef86", "tetrode": "ef86", "ota": "lm13700"}  # for what a drawing or a word shows
SLIP = 0.8  # likeness of two names from which one is a slip of the pen for the other
_SEPARATORS = re.compile(r"[_\-./ ]+")
_POTS = re.compile(r"pot(entiometer|entiometr|lin|log|_pow|_lin|_log)?\w*", re.IGNORECASE)
FREE_PIN = 1e9  # ohms to ground from a pin that the stand-in does not have: compensation, heaters
NOISE_KEYS = frozenset(("en", "enk", "in", "ink", "ilimit", "phimargin", "epsilon"))


def card(name: str) -> Card | None:
    """The catalogue's card of a semiconductor, tube or op-amp, or None."""
    return catalogue.find(name)


def nearest(name: str) -> Card | None:
    """The catalogue's nearest relative of a part that it lacks, or a zener of the voltage in its name, or None; PSPICE's letter before a name is taken off."""
    found = _nearest(name)
    if found is None and name[:1].lower() in _LETTER_KINDS:
        found = _nearest(name[1:])
        found = found if found is not None and found.kind in _LETTER_KINDS[name[0].lower()] else None
    return found


def _nearest(name: str) -> Card | None:
    zener, numbered = _ZENER.fullmatch(name.lower()), _NUMBERED.fullmatch(name.lower())
    volts = 0.0
    if numbered is not None:
        volts = next((float(series[int(numbered[1]) - first]) for first, series in _SERIES if 0 <= int(numbered[1]) - first < len(series)), 0.0)
    if zener is not None or volts:
        volts = volts or float((zener["volts"] or zener["plain"]).replace("v", ".").replace("_", ".").rstrip("."))
        if 1.0 < volts < 300.0:
            return Card(f"zener of {volts:g} V", "d", {"is": 1e-15, "rs": 1.0, "bv": volts, "ibv": 5e-3, "nbv": 1.7}, "a generic zener")
    for pattern, other in _NEAREST:
        if pattern.fullmatch(name.lower()):
            return catalogue.find(other)
    return None


@lru_cache(1024)
def suggest(name: str, kinds: tuple[str, ...]) -> str:
    """The name of the catalogue, among parts of these kinds, that this one is a slip of the pen for; empty if there is none."""
    return next((one.upper() for one in catalogue.suggest(name, 5, SLIP) if (found := catalogue.find(one)) is not None and found.kind in kinds), "")


def common(letter: str, name: str, kind: str) -> Card | None:
    """The card of a part that nobody knows: the most common of its letter, of the polarity that the drawing or its name tells; None for switches."""
    if not kind and _NEGATIVE.match(name):
        kind = {"q": "pnp", "j": "pjf", "m": "pmos"}.get(letter, "")
    found = _COMMON.get((letter, kind)) or _COMMON.get((letter, ""))
    return catalogue.find(found) if found else None


def stand_in(assembly: Assembly, fields: Fields) -> bool:
    """Make an element of an X line whose subcircuit is missing; False if its name says nothing."""
    if not fields.words:
        return False
    name = fields.words[-1].lower
    nodes = tuple(fields.scope.node(word.text) for word in fields.words[:-1])
    if _POTS.fullmatch(name) and len(nodes) == 3:
        return _potentiometer(assembly, fields, nodes)
    shown = assembly.deck.kind_of(fields.part)
    found = _by_name(name, len(nodes), shown)
    if found is None:
        return False
    given = nodes
    if found.kind == "pentode" and len(nodes) == 3:  # triode-wired: the screen on the plate
        nodes = (nodes[0], *nodes)
    if found.kind in ("opamp", "opamp_ideal"):
        found, nodes = _opamp(assembly, fields, found, name, nodes)
    if found.kind == "pentode" and len(nodes) == 5:  # LTspice's symbol with a suppressor counts cathode, G1, G2, G3, anode
        nodes = (nodes[4], nodes[2], nodes[1], nodes[0])
    family = FAMILIES[found.kind]
    nodes = nodes[:len(family.pins)] if found.kind != "rectifier" or len(nodes) <= 3 else nodes[:3]
    least = sum(not pin.endswith("?") for pin in family.pins)
    if len(nodes) < least or found.kind in ("opamp", "opamp_ideal") and len(nodes) == 4:
        return False
    fields.words.clear()
    if fields.values:
        assembly.notes.lose(f"{fields.part.written}: {', '.join(fields.values)}= is left out, for the stand-in has numbers of its own", fields.place)
        fields.values.clear()
    assembly.notes.lose(f"{fields.part.written}: the subcircuit {name} is not there; the built-in {found.kind} {found.name} stands in", fields.place)
    assembly.add(Device(fields.name, nodes, found, {}, fields.place))
    for k, node in enumerate(dict.fromkeys(node for node in given if node not in nodes and node != GROUND)):
        assembly.add(Resistor(f"{fields.name}.free{k}", (node, GROUND), FREE_PIN, fields.place))
    return True


def _by_name(name: str, pins: int, shown: str) -> Card | None:
    """The card of the whole name, of a part of it, of the family that its name belongs to, or of what the drawing shows it to be."""
    if shown in ("npn", "pnp"):
        found = catalogue.find(name) or next((near for part in (name, *_SEPARATORS.split(name)) if (near := catalogue.find(part) or nearest(part)) is not None), None)
        return found if found is not None and found.kind in ("npn", "pnp") else None
    whole = catalogue.find(name)
    if whole is not None:
        return whole
    for part in _SEPARATORS.split(name):
        found = catalogue.find(part) if len(part) > 2 else None
        if found is not None and found.kind not in ("ldr",):
            return found
    for pattern, other in _TUBES_NEAREST:
        if any(pattern.fullmatch(part) for part in (name, *_SEPARATORS.split(name)) if len(part) > 2):
            near = catalogue.find(other)
            return near if pins >= 3 else None
    if pins in (3, 5, 6, 7) and any(_OPAMP_NAMES.fullmatch(part) for part in (name, *_SEPARATORS.split(name)) if part):
        return catalogue.find(_GENERIC_OPAMP)
    if shown in _SHOWN:
        return catalogue.find(_SHOWN[shown])
    return next((catalogue.find(_SHOWN[word]) for word, count in (("triode", 3), ("pentode", 4), ("tetrode", 4)) if count == pins and SequenceMatcher(None, word, name).ratio() > 0.9), None)


def _opamp(assembly: Assembly, fields: Fields, found: Card, name: str, nodes: tuple[str, ...]) -> tuple[Card, tuple[str, ...]]:
    """Order of the pins, and the parameters of LTspice's universal op-amps."""
    if len(nodes) == 3 and name == "opamp":  # LTspice's own three-pin symbol counts the inverting input first
        nodes = (nodes[1], nodes[0], nodes[2])
    if len(nodes) > 5:
        nodes = nodes[:5]
    values: dict[str, Value] = dict(found.values)
    given = False
    for key in tuple(fields.values):
        span = fields.take(key)
        value, _ = fields.scope.first_value(span)
        if key in _UNIVERSAL:
            values[_UNIVERSAL[key]] = value
            given = True
        elif key == "rail":
            values["head"] = values["foot"] = value
        elif key not in NOISE_KEYS:
            assembly.notes.lose(f"{fields.part.written}: {key}= is left out", span.place())
    if not given:
        return found, nodes
    if found.kind == "opamp_ideal":  # one pole, no rails, no slew limit
        values = {"rin": 1e12, "rout": 0.0, "head": 0.0, "foot": 0.0, "slew": 1e12, "vcc": 1e4, "vee": -1e4} | values
    return Card(f"{fields.name}.{found.name}", "opamp", values, found.source), nodes


def _potentiometer(assembly: Assembly, fields: Fields, nodes: tuple[str, ...]) -> bool:
    """End, end, wiper, as in LTspice's collections: ``Rtot & wiper``, ``Rt & set`` or ``R & T``; the wiper stops 0.1 % before the ends."""
    total, setting = fields.number("rtot", "rt", "r", "value"), fields.number("wiper", "set", "t", "w", "pos")
    if total is None or setting is None:
        return False
    fields.words.clear()
    first, second, wiper = nodes
    where = Call("limit", (expression(setting), expression(1e-3), expression(0.999)))
    upper = Call("mul", (expression(total), Call("sub", (expression(1.0), where))))
    assembly.notes.lose(f"{fields.part.written}: its potentiometer is not there; two resistors of a linear one stand in", fields.place)
    assembly.add(Resistor(f"{fields.name}.r0", (first, wiper), upper, fields.place))
    assembly.add(Resistor(f"{fields.name}.r1", (wiper, second), Call("mul", (expression(total), where)), fields.place))
    fields.finish(assembly.notes)
    return True
