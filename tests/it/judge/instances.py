"""The other actions of the MQTT product: CAs and instances."""

from sdk import Caller, check


class Instances(Caller):
    def judge(self):
        self.authorities()
        self.instances()

    def authorities(self):
        action = "DescribeCaCertificates"
        found = self.ask(self.mqtt, action, {"InstanceId": self.case["instance"]})
        rows = [[ca.CaSn, ca.CaCn, ca.NotAfterTime // 1000] for ca in found.Data]
        check("CA certificates", rows, self.case["authorities"])
        for ca in found.Data:
            check("a CA's issuer", ca.CaIssuerCn, ca.CaCn)
            check("a CA's status", (ca.Status, ca.Format), ("ACTIVE", "PEM"))
            check("a CA's PEM", ca.CaCertificate.startswith("-----BEGIN CERTIFICATE-----\nMII"), True)
            check("a CA's times", ca.NotBeforeTime < ca.NotAfterTime, True)
        self.refused("CAs of no instance", "MissingParameter", self.mqtt, action, {})

    def instances(self):
        wanted = [instance[0] for instance in self.case["instances"]]
        found = self.ask(self.mqtt, "DescribeInstanceList", {"Limit": 100})
        check("instances", [item.InstanceId for item in found.Data], wanted)
        check("instances: total", found.TotalCount, len(wanted))
        for item in found.Data:
            check("an instance", (item.InstanceStatus, item.MaxCaNum), ("RUNNING", 20))
        second = self.ask(self.mqtt, "DescribeInstanceList", {"Limit": 1, "Offset": 1})
        check("second instance", ([item.InstanceId for item in second.Data], second.TotalCount),
              (wanted[1:2], len(wanted)))
        by_id = {"Filters": [{"Name": "InstanceId", "Values": [wanted[-1]]}]}
        found = self.ask(self.mqtt, "DescribeInstanceList", by_id)
        check("instance by id", [item.InstanceId for item in found.Data], wanted[-1:])
        by_id["TagFilters"] = [{"TagKey": "a", "TagValues": ["b"]}]
        found = self.ask(self.mqtt, "DescribeInstanceList", by_id)
        check("instance by tag", found.Data, [])
        for instance, mode in self.case["instances"]:
            one = self.ask(self.mqtt, "DescribeInstance", {"InstanceId": instance})
            check("one instance", (one.InstanceId, one.X509Mode), (instance, mode))
            check("its time in seconds", len(str(one.CreatedTime)), 10)
        self.refused("no such instance", "ResourceNotFound.Instance", self.mqtt, "DescribeInstance",
                     {"InstanceId": "mqtt-none"})
