"""`DescribeDeviceCertificates` and `DescribeDeviceCertificate`."""

from sdk import Caller, check


class Devices(Caller):
    def judge(self):
        self.pages()
        self.paging()
        self.filters()
        self.refusals()
        self.points()

    def list(self, **parameters):
        parameters.setdefault("InstanceId", self.case["instance"])
        return self.ask(self.mqtt, "DescribeDeviceCertificates", parameters)

    def filtered(self, limit=100, **filters):
        pairs = [{"Name": name, "Values": values} for name, values in filters.items()]
        return self.list(Limit=limit, Filters=pairs, OrderBy="CREATE_TIME_ASC")

    def pages(self):
        wanted = self.case["devices"]
        for order in ("CREATE_TIME_ASC", "CREATE_TIME_DESC", "UPDATE_TIME_ASC", "UPDATE_TIME_DESC"):
            found, key = [], []
            while True:
                page = self.list(Limit=100, Offset=len(found), OrderBy=order)
                check("TotalCount", page.TotalCount, len(wanted))
                check("RequestId", len(page.RequestId), 36)
                if not page.Data:
                    break
                found += [row(item) for item in page.Data]
                key += [item.CreatedTime if "CREATE" in order else item.UpdateTime for item in page.Data]
                for item in page.Data:
                    device_fields(item)
            if order == "CREATE_TIME_ASC":
                check(order, found, wanted)
            check(order + ": the same rows", sorted(map(str, found)), sorted(map(str, wanted)))
            check(order + ": sorted", key, sorted(key, reverse=order.endswith("DESC")))

    def paging(self):
        wanted = [device[1] for device in self.case["devices"]]
        serials = lambda page: [item.DeviceCertificateSn for item in page.Data]
        check("Limit is 20 by default", len(self.list().Data), 20)
        page = self.list(Limit=7, Offset=5, OrderBy="CREATE_TIME_ASC")
        check("Offset", serials(page), wanted[5:12])
        page = self.list(Limit=10, Offset=len(wanted) - 3, OrderBy="CREATE_TIME_ASC")
        check("the last page", serials(page), wanted[-3:])
        page = self.list(Limit=10, Offset=len(wanted), OrderBy="CREATE_TIME_ASC")
        check("after the last page", (serials(page), page.TotalCount), ([], len(wanted)))

    def filters(self):
        devices = self.case["devices"]

        def same(what, page, wanted):
            check(what + ": total", page.TotalCount, len(wanted))
            check(what, [row(item) for item in page.Data], wanted[:100])

        ca, serial, _, _, client, name, unit = devices[17]
        same("ClientId", self.filtered(ClientId=[client]), [d for d in devices if d[4] == client])
        same("CaSn", self.filtered(CaSn=[ca]), [d for d in devices if d[0] == ca])
        same("DeviceCertificateSn", self.filtered(DeviceCertificateSn=[serial]), [devices[17]])
        same("DeviceCertificateCn", self.filtered(DeviceCertificateCn=[name]),
             [d for d in devices if d[5] == name])
        same("OrganizationalUnit", self.filtered(OrganizationalUnit=[unit]),
             [d for d in devices if d[6] == unit])
        for status in ("ACTIVE", "INACTIVE", "REVOKED", "PENDING_ACTIVATION"):
            same("Status", self.filtered(Status=[status]), [d for d in devices if d[3] == status])
        either = ["REVOKED", "INACTIVE"]
        same("any value of a filter", self.filtered(Status=either), [d for d in devices if d[3] in either])
        same("every filter", self.filtered(Status=["ACTIVE"], CaSn=[ca]),
             [d for d in devices if d[3] == "ACTIVE" and d[0] == ca])
        self.windows(same)

    def windows(self, same):
        devices = self.case["devices"]
        ends = sorted(d[2] for d in devices if d[2])
        middle, later = ends[len(ends) // 2], ends[len(ends) * 2 // 3]
        within = lambda low, high: [d for d in devices if d[2] and low <= d[2] <= high]
        millis = lambda seconds: [str(seconds * 1000)]
        same("both bounds are included", self.filtered(NotAfterStart=millis(middle), NotAfterEnd=millis(middle)),
             within(middle, middle))
        same("NotAfterStart", self.filtered(NotAfterStart=millis(middle)), within(middle, 1 << 40))
        same("NotAfterEnd", self.filtered(NotAfterEnd=millis(middle)), within(0, middle))
        same("a window", self.filtered(NotAfterStart=millis(middle), NotAfterEnd=millis(later)),
             within(middle, later))
        # Half a second beyond a whole second neither takes a certificate in nor leaves one out.
        same("half seconds", self.filtered(NotAfterStart=[str(middle * 1000 - 500)],
                                           NotAfterEnd=[str(later * 1000 + 499)]), within(middle, later))
        same("the year 9999", self.filtered(NotAfterStart=["253402300799000"]), [])

    def refusals(self):
        list_action, instance = "DescribeDeviceCertificates", self.case["instance"]
        for what, code, parameters in (
            ("no InstanceId", "MissingParameter", {}),
            ("no such instance", "ResourceNotFound.Instance", {"InstanceId": "mqtt-none"}),
            ("Limit 101", "InvalidParameterValue", {"InstanceId": instance, "Limit": 101}),
            ("Limit 0", "InvalidParameterValue", {"InstanceId": instance, "Limit": 0}),
            ("Offset -1", "InvalidParameterValue", {"InstanceId": instance, "Offset": -1}),
            ("OrderBy", "InvalidParameterValue", {"InstanceId": instance, "OrderBy": "NOT_AFTER_ASC"}),
            ("filter name", "InvalidParameterValue",
             {"InstanceId": instance, "Filters": [{"Name": "Client id", "Values": ["x"]}]}),
            ("filter value", "InvalidParameter",
             {"InstanceId": instance, "Filters": [{"Name": "NotAfterEnd", "Values": [1]}]}),
        ):
            self.refused(what, code, self.mqtt, list_action, parameters)

    def points(self):
        action, instance = "DescribeDeviceCertificate", self.case["instance"]
        for device in self.case["devices"][:50]:
            found = self.ask(self.mqtt, action, {"InstanceId": instance, "DeviceCertificateSn": device[1]})
            check("one device certificate", row(found), device)
            device_fields(found)
        none = {"InstanceId": instance, "DeviceCertificateSn": "0" * 40}
        self.refused("no such certificate", "ResourceNotFound.Certificate", self.mqtt, action, none)
        self.refused("no serial", "MissingParameter", self.mqtt, action, {"InstanceId": instance})


def row(item):
    """A device certificate as the simulator's truth has it; an end that is 0, null or absent is None."""
    return [item.CaSn, item.DeviceCertificateSn, item.NotAfterTime // 1000 if item.NotAfterTime else None,
            item.Status, item.ClientId, item.DeviceCertificateCn, item.OrganizationalUnit or ""]


def device_fields(item):
    check("serial", (len(item.DeviceCertificateSn), len(item.CaSn)), (40, 40))
    check("format", item.Format, "PEM")
    check("source", item.CertificateSource in ("API", "JITP", None), True)
    lines = item.DeviceCertificate.split("\n")
    check("PEM", (lines[0], lines[-2:]), ("-----BEGIN CERTIFICATE-----", ["-----END CERTIFICATE-----", ""]))
    check("PEM lines", all(len(line) == 64 for line in lines[1:-3]), True)
    times = (item.CreatedTime, item.UpdateTime, item.LastActivationTime, item.NotBeforeTime)
    check("times are milliseconds", all(len(str(time)) == 13 for time in times), True)
    check("never is 0", item.LastInactivationTime == 0 or item.Status == "INACTIVE", True)
