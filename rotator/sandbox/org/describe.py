"""How an object is described: DescribeSObjectResult of the REST API (sobjects, and sobjects/NAME/describe).

The users of this org may read and no more, so that nothing can be created, updated or deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rotator.sandbox.org.soql import Column, Table

_NOT_SO = (
    "activateable", "createable", "custom", "customSetting", "deepCloneable", "deletable",
    "deprecatedAndHidden", "feedEnabled", "hasSubtypes", "isInterface", "isSubtype", "layoutable",
    "mergeable", "mruEnabled", "searchable", "triggerable", "undeletable", "updateable",
)  # fmt: skip
_FIELD_NOT_SO = (
    "aiPredictionField", "autoNumber", "calculated", "cascadeDelete", "caseSensitive", "createable",
    "custom", "dependentPicklist", "deprecatedAndHidden", "displayLocationInDecimal", "encrypted",
    "externalId", "formulaTreatNullNumberAsZero", "highScaleNumber", "htmlFormatted", "namePointing",
    "permissionable", "polymorphicForeignKey", "queryByDistance", "restrictedDelete", "restrictedPicklist",
    "searchPrefilterable", "unique", "updateable", "writeRequiresMasterRead",
)  # fmt: skip
_FIELD_NULL = (
    "calculatedFormula", "compoundFieldName", "controllerName", "defaultValue", "defaultValueFormula",
    "extraTypeInfo", "filteredLookupInfo", "inlineHelpText", "mask", "maskType", "referenceTargetField",
    "relationshipName", "relationshipOrder",
)  # fmt: skip
# kind -> SOAP type, longest text, digits
_KINDS = {
    "id": ("tns:ID", 18, 0),
    "string": ("xsd:string", 255, 0),
    "boolean": ("xsd:boolean", 0, 0),
    "int": ("xsd:int", 0, 8),
    "datetime": ("xsd:dateTime", 0, 0),
}
_BYTES_A_CHARACTER = 3


def in_brief(table: Table, version: int) -> dict[str, object]:
    """An object as the list of all objects has it."""
    base = f"/services/data/v{version}.0/sobjects/{table.name}"
    return {
        **dict.fromkeys(_NOT_SO, False),
        "associateEntityType": None, "associateParentEntity": None, "keyPrefix": table.key_prefix,
        "label": table.name, "labelPlural": f"{table.name}s", "name": table.name, "queryable": True,
        "replicateable": True, "retrieveable": True,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
    }  # fmt: skip


def in_full(table: Table, version: int) -> dict[str, object]:
    """An object with its fields."""
    return {
        **in_brief(table, version),
        "actionOverrides": [], "childRelationships": [], "compactLayoutable": False, "defaultImplementation": None,
        "extendedBy": None, "extendsInterfaces": None, "fields": [_field(column) for column in table.columns],
        "implementedBy": None, "implementsInterfaces": None, "listviewable": None, "lookupLayoutable": None,
        "namedLayoutInfos": [], "networkScopeFieldName": None, "recordTypeInfos": [], "searchLayoutable": False,
        "sobjectDescribeOption": "FULL", "supportedScopes": [],
    }  # fmt: skip


def _field(column: Column) -> dict[str, object]:
    soap_type, length, digits = _KINDS[column.kind]
    is_own_id, is_id = column.name == "Id", column.kind == "id"
    return {
        **dict.fromkeys(_FIELD_NOT_SO, False), **dict.fromkeys(_FIELD_NULL),
        "aggregatable": column.kind != "boolean", "byteLength": length if is_id else length * _BYTES_A_CHARACTER,
        "defaultedOnCreate": is_own_id or column.kind in {"boolean", "datetime"}, "digits": digits, "filterable": True,
        "groupable": column.kind != "datetime", "idLookup": is_own_id, "label": column.name, "length": length,
        "name": column.name, "nameField": column.name == "Name", "nillable": column.kind in {"string", "int"},
        "picklistValues": [], "precision": 0, "referenceTo": ["User"] if is_id and not is_own_id else [], "scale": 0,
        "soapType": soap_type, "sortable": True, "type": "reference" if is_id and not is_own_id else column.kind,
    }  # fmt: skip
