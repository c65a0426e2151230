"""How a coloring was made, as XMP in its file, which tells it from a photo."""

import json
from dataclasses import asdict, fields
from xml.sax.saxutils import quoteattr

from model.options import Options
from model.protocol import ModelInfo
from service import __version__
from service.api.endpoints import COLOR_ENDPOINTS

__all__ = ["provenance"]

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for pictures that a generative model has edited"""
CHOICE = {"n", "offset", "candidates", "select", "rank", "temperature"}
"""options that say which colorings of a seed are made, as the index does, and the temperature, which may be left out"""
KINDS = {endpoint.options: endpoint.name for endpoint in COLOR_ENDPOINTS}
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 {}/></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def provenance(options: Options, temperature: float, index: int, model: ModelInfo) -> bytes:
    """Return an XMP packet, in UTF-8.

    temperature: of the draw. index: the coloring's own.
    Source: IPTC Photo Metadata Standard 2025.1.
    """
    given, defaults = asdict(options), {field.name: field.default for field in fields(options)}
    for hint in given["hints"]:
        hint["color"] = f"#{bytes(hint['color']).hex()}"  # as the interface takes it
    made = {"seed": given.pop("seed"), "index": index, "temperature": temperature, "of_index": given.pop("index", None)}
    made |= {name: value for name, value in given.items() if name not in CHOICE and value != defaults[name]}
    words = [f"{name}={json.dumps(value)}" for name, value in made.items() if value is not None]
    attributes = {
        "xmp:CreatorTool": f"tintflow {__version__}",
        "Iptc4xmpExt:DigitalSourceType": SOURCE,
        "Iptc4xmpExt:AISystemUsed": "tintflow",
        "Iptc4xmpExt:AISystemVersionUsed": f"{model.name} sha256:{model.sha256}",
        "Iptc4xmpExt:AIPromptInformation": " ".join((KINDS[type(options)], *words)),
    }
    return PACKET.format("\n ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())).encode()
