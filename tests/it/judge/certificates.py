"""`DescribeCertificates` of the SSL product."""

import datetime

from sdk import Caller, check


class Certificates(Caller):
    def judge(self):
        self.certificates()
        self.filters()

    def certificates(self):
        wanted = self.case["certificates"]
        found = self.ask(self.ssl, "DescribeCertificates", {"Limit": 5000, "Offset": 0})
        check("certificates: total", found.TotalCount, len(wanted))
        check("Limit is clamped at 1000", len(found.Certificates), min(1000, len(wanted)))
        rows = [[item.CertificateId, earliest(item), str(item.Status), item.Domain] for item in found.Certificates]
        check("certificates", sorted(rows, key=str), sorted(wanted, key=str))
        for item in found.Certificates:
            check("ValidityPeriod is a string", type(item.ValidityPeriod), str)
            check("names hold the domain", item.Domain in item.SubjectAltName, True)
            check("an issued certificate", item.Status not in (1, 3) or item.CertBeginTime is not None, True)
        applied = [item.InsertTime for item in found.Certificates]
        check("latest application first", applied, sorted(applied, reverse=True))
        check("Limit is 10 by default", len(self.ask(self.ssl, "DescribeCertificates", {}).Certificates), 10)

    def filters(self):
        everything = self.ask(self.ssl, "DescribeCertificates", {"Limit": 1000}).Certificates
        ids = lambda items: sorted(item.CertificateId for item in items)

        def same(what, parameters, keep):
            found = self.ask(self.ssl, "DescribeCertificates", {"Limit": 1000, **parameters})
            wanted = [item for item in everything if keep(item)]
            check(what, (ids(found.Certificates), found.TotalCount), (ids(wanted), len(wanted)))

        same("CertificateStatus", {"CertificateStatus": [1, 3]}, lambda it: it.Status in (1, 3))
        same("CertificateType CA", {"CertificateType": "CA"}, lambda it: it.CertificateType == "CA")
        same("CertificateType SVR", {"CertificateType": "SVR"}, lambda it: it.CertificateType.upper() == "SVR")
        same("ProjectId", {"ProjectId": 1}, lambda it: it.ProjectId == "1")
        same("FilterSource", {"FilterSource": "upload"}, lambda it: it.From == "upload")
        same("Upload", {"Upload": 1}, lambda it: it.From == "upload")
        same("Renew", {"Renew": 1}, lambda it: it.RenewAble)
        same("Deployable", {"Deployable": 0}, lambda it: not it.Deployable)
        same("FilterExpiring", {"FilterExpiring": 1}, lambda it: it.IsExpiring)
        same("IsSM", {"IsSM": 1}, lambda it: it.IsSM)
        same("Tags", {"Tags": [{"TagKey": "team", "TagValue": "web"}]}, lambda it: True)
        same("no such tag", {"Tags": [{"TagKey": "team", "TagValue": "x"}]}, lambda it: False)
        key = everything[0].Domain
        same("SearchKey", {"SearchKey": key}, lambda it: key in (it.Domain + it.Alias + it.CertificateId))
        some = ids(everything)[:3]
        same("CertIds", {"CertIds": some}, lambda it: it.CertificateId in some)
        for direction in ("ASC", "DESC"):
            found = self.ask(self.ssl, "DescribeCertificates",
                             {"Limit": 1000, "ExpirationSort": direction, "CertificateStatus": [3]})
            ends = [item.CertEndTime for item in found.Certificates]
            check("ExpirationSort", ends, sorted(ends, reverse=direction == "DESC"))
        page = self.ask(self.ssl, "DescribeCertificates", {"Limit": 5, "Offset": 5})
        check("second page", ids(page.Certificates), ids(everything[5:10]))
        self.refused("CertificateType", "InvalidParameter", self.ssl, "DescribeCertificates",
                     {"CertificateType": "SERVER"})
        self.refused("51 certificates", "InvalidParameter.CertificateIdNumberLimit", self.ssl,
                     "DescribeCertificates", {"CertIds": [str(n) for n in range(51)]})


def earliest(item):
    texts = [item.CertEndTime] + (item.CAEndTimes or [])
    ends = [end for end in map(seconds, texts) if end is not None]
    return min(ends) if ends else None


def seconds(text):
    text = (text or "").strip()
    if text in ("", "--") or text.startswith("0000"):
        return None
    east = datetime.timezone(datetime.timedelta(hours=8))
    return int(datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=east).timestamp())
