# SPDX-License-Identifier: BSD-3-Clause
"""An OpenAPI document held against what a server does: its own form, and every answer's status, type and body."""
import re

import jsonschema

METHODS = ("get", "put", "patch", "post", "delete")


class Document:
    def __init__(self, json):
        self.json, self.paths = json, json["paths"]
        self.resolver = jsonschema.RefResolver.from_schema(json)

    def operations(self):
        """(method, template, operation) of all, the methods in capitals."""
        for template, item in self.paths.items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), template, item[method]

    def resolve(self, node):
        return self.resolver.resolve(node["$ref"])[1] if "$ref" in node else node

    def allowed(self, template):
        methods = {method.upper() for method in METHODS if method in self.paths[template]}
        return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())

    def parameters(self, template, operation):
        return [self.resolve(p) for p in self.paths[template].get("parameters", []) + operation.get("parameters", [])]

    def find(self, method, path):
        """Template of a path as it is sent: literals before parameters, those with an action before those without."""
        path = path.split("?", 1)[0]
        best = None
        for template, item in self.paths.items():
            tail = template.endswith(("/{rest}",))
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template[:-7] if tail else template)) + ("/.+" if tail else "")
            if re.fullmatch(pattern, path):
                rank = (not tail, template.count(":"), -template.count("{"))
                best = max(best, (rank, template)) if best else (rank, template)
        return best[1] if best else None

    def faults(self, method, template, reply):
        """What of an answer is not as documented."""
        operation = self.paths[template][method.lower()]
        response = operation["responses"].get(str(reply.status))
        if response is None:
            return [f"{reply.status} is not documented: {sorted(operation['responses'])}"]
        content = self.resolve(response).get("content")
        if content is None:
            return ["a body, where none is documented"] if reply.body else []
        kind = (reply.headers.get("Content-Type") or "").split(";")[0]
        if kind not in content:
            return [f"Content-Type {kind!r} is not documented: {sorted(content)}"]
        if reply.json is None:
            return []
        validator = jsonschema.Draft202012Validator(content[kind]["schema"], resolver=self.resolver)
        return [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message[:300]}" for fault in validator.iter_errors(reply.json)]

    def own_faults(self):
        """What is wrong with the document itself, as OpenAPI 3.1 has it."""
        found, ids = [], set()
        if not self.json["openapi"].startswith("3.1.") or not all(self.json["info"].get(name) for name in ("title", "version")):
            found.append("openapi, info")
        for name, schema in self.json["components"]["schemas"].items():
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                found.append(f"schema {name}: {error.message}")
        for method, template, operation in self.operations():
            where = f"{method} {template}"
            declared = {p["name"] for p in self.parameters(template, operation) if p["in"] == "path"}
            if declared != set(re.findall(r"\{([^}]*)\}", template)):
                found.append(f"{where}: path parameters {declared}")
            if operation["operationId"] in ids:
                found.append(f"{where}: operationId is there twice")
            ids.add(operation["operationId"])
            if not any(status.startswith(("2", "3")) for status in operation["responses"]):
                found.append(f"{where}: no success is documented")
            for status, response in operation["responses"].items():
                if not re.fullmatch(r"[2-5]\d\d", status) or not self.resolve(response).get("description"):
                    found.append(f"{where}: response {status}")
        return found + list(self.bad_references(self.json))

    def bad_references(self, node):
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            if isinstance(value, (dict, list)):
                yield from self.bad_references(value)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            try:
                self.resolver.resolve(node["$ref"])
            except jsonschema.RefResolutionError as error:
                yield f"reference {node['$ref']}: {error}"
