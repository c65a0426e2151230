"""How a coloring was made, as XMP that tells it from a photo."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from service import __version__
from service.client import Coloring, ColorizationResponse

__all__ = ["provenance"]

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for pictures that a generative model has edited"""
NOT_OF_THE_PIXELS = {"command", "n", "strip", "keep_gps", "index", "seed", "noise_seed", "temperature"}
"""parts of the request that the text has already, or that do not matter to the pixels"""
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 {}/></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def provenance(given: Mapping[str, Any], answer: ColorizationResponse, coloring: Coloring) -> bytes:
    """Return an XMP packet.

    given: the command and its options. A reference is named without its folder.
    Source: IPTC Photo Metadata Standard 2025.1.
    """
    made: dict[str, Any] = {"seed": answer.seed, "noise_seed": answer.noise_seed, "index": coloring.index}
    more = {name: value for name, value in given.items() if name not in NOT_OF_THE_PIXELS}
    if "index" in given:
        made["of_index"] = given["index"]
    if "reference" in given:
        more["reference"] = Path(given["reference"][0]).name
    made |= {"temperature": answer.temperature, **dict(sorted(more.items()))}
    words = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in made.items() if value is not None]
    attributes = {
        "xmp:CreatorTool": f"tintflow {__version__}",
        "Iptc4xmpExt:DigitalSourceType": SOURCE,
        "Iptc4xmpExt:AISystemUsed": "tintflow",
        "Iptc4xmpExt:AISystemVersionUsed": answer.model,
        "Iptc4xmpExt:AIPromptInformation": " ".join((given["command"], *words)),
    }
    text = PACKET.format("\n ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items()))
    return text.encode(errors="replace")  # a file's name may have bytes that are not UTF-8
