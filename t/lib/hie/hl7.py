"""HL7 v2 messages for tests."""


def adt(event, control, mrn, family="Probe", given="Test", visit=None,
        street="1 Example Street", version="2.5.1", msh="|^~\\&"):
    """An ADT message; segments end with CR."""
    lines = [f"MSH{msh}|ADT|GENERAL|HIE|EXCHANGE|20260501083000+0000||"
             f"ADT^{event}|{control}|P|{version}||||||UNICODE UTF-8",
             f"EVN|{event}|20260501083000+0000",
             f"PID|1||{mrn}^^^GENERAL^MR||{family}^{given}^^^^^L||19720304|M"
             f"|||{street}^^Sampletown^^00005^ZZ"]
    if visit:
        lines.append("PV1|1|I|WARD1^101^A^GENERAL" + "|" * 16
                     + f"{visit}^^^GENERAL^VN")
    else:
        lines.append("PV1|1|N")
    return ("\r".join(lines) + "\r").encode()


def oru(control, mrn, order, values, status="F", family="Probe"):
    """An ORU^R01; `values`: pairs of LOINC code and number as text."""
    lines = ["MSH|^~\\&|LAB|GENERAL|HIE|EXCHANGE|20260501120000+0000||"
             f"ORU^R01^ORU_R01|{control}|P|2.5.1||||||UNICODE UTF-8",
             f"PID|1||{mrn}^^^GENERAL^MR||{family}^Test^^^^^L||19720304|M",
             f"ORC|RE|{order}^LAB|F{order}^LAB",
             f"OBR|1|{order}^LAB|F{order}^LAB|24323-8^Panel^LN"
             "|||20260501113000+0000" + "|" * 15
             + f"20260501115500+0000||LAB|{status}"]
    for i, (code, value) in enumerate(values, 1):
        lines.append(f"OBX|{i}|NM|{code}^Test^LN||{value}|mg/dL^mg/dL^UCUM"
                     f"|||||{status}|||20260501113000+0000")
    return ("\r".join(lines) + "\r").encode()
