#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/carry.h"
#include "common/operations/carry_identity.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

class RemoveEnumValue : public Operation {
 public:
  struct Place {
    TableName table;
    std::string column;
  };

  RemoveEnumValue(const v1::RemoveEnumValue& proto, TableName type, std::vector<Place> places)
      : proto_(proto),
        type_(std::move(type)),
        temporary_{type_.schema, sql::HashedName("curlew_new_", {type_.schema, type_.name})},
        places_(std::move(places)) {}

  v1::Scope Scope() const override {
    v1::Scope scope;
    scope.add_types(proto_.type());
    for (const v1::ColumnName& column : proto_.columns()) scope.add_tables(column.table());
    return scope;
  }

  absl::Status Apply(v1::Schema* schema) const override {
    v1::EnumType* type = schema::FindEnum(schema, type_.Quoted());
    if (type == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("enum type ", type_.Quoted(),
                       " does not exist; check the name and its schema (public where none is "
                       "written)"));
    }
    for (const std::string& label : {proto_.value(), proto_.replacement()}) {
      if (std::find(type->labels().begin(), type->labels().end(), label) != type->labels().end()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("enum type ", type_.Quoted(), " has no value ", sql::Literal(label),
                       "; there are: ", absl::StrJoin(type->labels(), ", ")));
    }
    for (const Place& place : places_) {
      ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, place.table.Quoted()));
      ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, place.column));
      if (column->type() != type_.Quoted()) {
        return absl::FailedPreconditionError(
            absl::StrCat("column ", sql::Ident(place.column), " of ", place.table.Quoted(), " is of type ",
                         column->type(), ", not ", type_.Quoted(),
                         "; take it out of the list. Arrays and domains of the type have to be changed "
                         "before, by change_type"));
      }
      ASSIGN_OR_RETURN(const std::string label, DefaultLabel(*type, place.table, *column));
      if (!label.empty()) column->set_default_(absl::StrCat(sql::Literal(label), "::", type_.Quoted()));
    }
    auto* labels = type->mutable_labels();
    labels->erase(std::remove(labels->begin(), labels->end(), proto_.value()), labels->end());
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema&) const override {
    std::vector<AddedColumn> added;
    for (const Place& place : places_) {
      ASSIGN_OR_RETURN(sql::Expression up, Up(place.column));
      added.push_back(
          {.table = place.table, .column = place.column, .value = std::move(up), .replaces = true});
    }
    return added;
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::EnumType* type = schema::FindEnum(context.before, type_.Quoted());
    const v1::EnumType* now = schema::FindEnum(context.now, type_.Quoted());
    if (type == nullptr || now == nullptr ||
        !std::equal(type->labels().begin(), type->labels().end(), now->labels().begin(),
                    now->labels().end())) {
      return NeedsLaterStage(absl::StrCat("type ", type_.Quoted(), " is made or changed by this very plan"));
    }
    RETURN_IF_ERROR(CheckNoOtherOperation(context, *type));
    AppendUsesPreflight(steps);

    std::vector<std::string> labels;
    for (const std::string& label : type->labels()) {
      if (label != proto_.value()) labels.push_back(sql::Literal(label));
    }
    v1::Step* create = steps->Add(v1::PHASE_ADD, absl::StrCat("create a type like ", type_.Quoted(),
                                                              " without ", sql::Literal(proto_.value())));
    SetSql(create->mutable_action(), {{"CREATE TYPE ", SqlText::Name(temporary_), " AS ENUM (",
                                       SqlText::Verified(absl::StrJoin(labels, ", ")), ")"},
                                      LikeTheOld()});
    SetSql(create->mutable_undo(), {{"DROP TYPE IF EXISTS ", SqlText::Name(temporary_)}});

    std::set<TableName> tables;
    for (const Place& place : places_) {
      tables.insert(place.table);
      RETURN_IF_ERROR(AppendColumn(context, *type, place, steps));
    }
    const std::vector<SqlText> swap = {
        {"DROP TYPE ", SqlText::Name(type_)},
        {"ALTER TYPE ", SqlText::Name(temporary_), " RENAME TO ", SqlText::Name(type_.name)}};
    if (tables.size() == 1) {
      // With the columns: no statement ever sees a column of one type and the name of the other.
      const v1::Table* table = schema::FindTable(context.before, *tables.begin());
      std::vector<SqlText>& last = steps->Work(*table)->after_finish;
      last.insert(last.end(), swap.begin(), swap.end());
      return absl::OkStatus();
    }
    SetSql(steps->AddLast(absl::StrCat("give the new type the name ", type_.Quoted()))->mutable_action(),
           swap);
    steps->Warn(absl::StrCat(
        "the columns of ", type_.Quoted(),
        " change table by table: between the first and the last a statement that "
        "casts to the type by name, or compares columns of two of these tables, may fail for a moment"));
    return absl::OkStatus();
  }

 private:
  // Owner, grants and comment, which the snapshot does not hold.
  SqlText LikeTheOld() const {
    const SqlText fresh = SqlText::String(temporary_.Quoted());
    SqlText body = {
        "\nDECLARE\n  old record;\n  held record;\nBEGIN\n"
        "  SELECT t.*, pg_catalog.obj_description(t.oid, 'pg_type') AS comment INTO STRICT old\n"
        "    FROM pg_catalog.pg_type AS t WHERE t.oid = ",
        SqlText::String(type_.Quoted()),
        "::pg_catalog.regtype;\n"
        "  IF old.comment IS NOT NULL THEN\n"
        "    EXECUTE pg_catalog.format('COMMENT ON TYPE %s IS %L', ",
        fresh,
        ", old.comment);\n  END IF;\n"
        "  EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %I', ",
        fresh,
        ", pg_catalog.pg_get_userbyid(old.typowner));\n"
        "  IF old.typacl IS NOT NULL THEN\n"
        "    EXECUTE pg_catalog.format('REVOKE ALL ON TYPE %s FROM PUBLIC', ",
        fresh,
        ");\n  END IF;\n"
        "  FOR held IN SELECT * FROM pg_catalog.aclexplode(old.typacl) AS x WHERE x.grantee <> old.typowner "
        "LOOP\n"
        "    EXECUTE pg_catalog.format('GRANT USAGE ON TYPE %s TO %s%s', ",
        fresh,
        ",\n      CASE WHEN held.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident("
        "pg_catalog.pg_get_userbyid(held.grantee)) END,\n"
        "      CASE WHEN held.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);\n  END LOOP;\nEND\n"};
    return DoBlock(body);
  }

  // The label that is the column's default; "" where it has none.
  absl::StatusOr<std::string> DefaultLabel(const v1::EnumType& type, const TableName& table,
                                           const v1::Column& column) const {
    if (column.default_().empty()) return std::string();
    for (const std::string& label : type.labels()) {
      if (column.default_() != absl::StrCat(sql::Literal(label), "::", type_.Quoted())) continue;
      return label == proto_.value() ? proto_.replacement() : label;
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "column ", sql::Ident(column.name()), " of ", table.Quoted(), " has the default ", column.default_(),
        ", which is no plain value of the type; drop it before, in a plan of its "
        "own, and set it afterwards"));
  }

  absl::StatusOr<sql::Expression> Up(const std::string& column) const {
    const std::string name = sql::Ident(column);
    return sql::Expression::Parse(absl::StrCat("CAST(CASE WHEN CAST(", name,
                                               " AS text) = ", sql::Literal(proto_.value()), " THEN ",
                                               sql::Literal(proto_.replacement()), " ELSE CAST(", name,
                                               " AS text) END AS ", temporary_.Quoted(), ")"));
  }

  absl::Status AppendColumn(const CompileContext& context, const v1::EnumType& type, const Place& place,
                            StepList* steps) const {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, place.table.Quoted()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, place.column));
    const std::string hidden =
        sql::HashedName("curlew_new_", {place.table.schema, place.table.name, place.column});
    ASSIGN_OR_RETURN(sql::Expression up, Up(place.column));
    ASSIGN_OR_RETURN(sql::Expression down,
                     sql::Expression::Parse(absl::StrCat("CAST(CAST(", sql::Ident(hidden), " AS text) AS ",
                                                         type_.Quoted(), ")")));
    ASSIGN_OR_RETURN(const std::string label, DefaultLabel(type, place.table, *column));
    for (const v1::Index& index : table->indexes()) RETURN_IF_ERROR(CheckAlone(place, index));
    for (const v1::Constraint& constraint : table->constraints())
      RETURN_IF_ERROR(CheckAlone(place, constraint));
    for (const v1::Statistics& statistics : table->statistics())
      RETURN_IF_ERROR(CheckAlone(place, statistics));
    return AppendCarry(context, *table, *column,
                       {.to = hidden,
                        .name = place.column,
                        .type = temporary_.Quoted(),
                        .collation = "",
                        .has_equality = true,
                        .up = std::move(up),
                        .down = std::move(down),
                        .values = NewValues::kOther,
                        .makes_type = true,
                        .default_value = label.empty() ? "" : sql::Literal(label),
                        .discard = {},
                        .way_out = "drop it before, in a plan of its own, and create it again afterwards"},
                       steps);
  }

  // An object over two columns of the list would have to be built for both at once.
  template <typename Object>
  absl::Status CheckAlone(const Place& place, const Object& object) const {
    std::set<std::string> of_the_list;
    for (const std::string& column : object.columns()) {
      for (const Place& other : places_) {
        if (other.table == place.table && other.column == column) of_the_list.insert(column);
      }
    }
    if (of_the_list.size() < 2) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(sql::Ident(object.name()), " of ", place.table.Quoted(),
                     " stands on two columns of the list, ", absl::StrJoin(of_the_list, " and "),
                     "; drop it before, in a plan of its own, and create it again afterwards"));
  }

  // The type as a whole is another one afterwards: nothing else of the stage may touch it.
  absl::Status CheckNoOtherOperation(const CompileContext& context, const v1::EnumType& type) const {
    const v1::EnumType* after = schema::FindEnum(context.after, type_.Quoted());
    bool changed = after == nullptr || after->labels_size() != type.labels_size() - 1;
    for (const v1::Table& table : context.after.tables()) {
      const v1::Table* before = schema::FindTable(context.before, schema::NameOf(table));
      for (const v1::Column& column : table.columns()) {
        if (column.type() != type_.Quoted()) continue;
        changed = changed || before == nullptr || schema::FindColumn(*before, column.name()) == nullptr;
      }
    }
    if (!changed) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("a later operation of the plan uses or changes type ", type_.Quoted(),
                     ", which is another one by then; put it into a plan of its own"));
  }

  // Nothing but the columns of the list uses the type: it could not be dropped.
  void AppendUsesPreflight(StepList* steps) const {
    SqlText listed;
    for (const Place& place : places_) {
      if (!listed.empty()) listed.Append({", "});
      listed.Append({"(", SqlText::String(place.table.Quoted()), "::pg_catalog.regclass, ",
                     SqlText::String(place.column), ")"});
    }
    const SqlText uses = {
        "FROM (SELECT oid, typarray FROM pg_catalog.pg_type WHERE oid = ", SqlText::String(type_.Quoted()),
        "::pg_catalog.regtype) AS e JOIN pg_catalog.pg_depend AS d ON d.refclassid = "
        "'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (e.oid, e.typarray) WHERE NOT "
        "(d.classid = "
        "'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = e.typarray) AND NOT EXISTS (SELECT FROM "
        "(VALUES ",
        listed,
        ") AS l (tbl, col) CROSS JOIN LATERAL (SELECT l.tbl AS oid UNION SELECT p.relid FROM "
        "pg_catalog.pg_partition_tree(l.tbl) AS p) AS r JOIN pg_catalog.pg_attribute AS a ON a.attrelid = "
        "r.oid AND "
        "a.attname = l.col LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = "
        "a.attnum "
        "WHERE (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid AND "
        "d.objsubid = "
        "a.attnum) OR (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid))"};
    AppendCataloguePreflight(absl::StrCat("nothing but the columns of the list uses type ", type_.Quoted()),
                             {"SELECT count(*) ", uses},
                             "Add the columns to the list, or change what uses the type (functions, domains, "
                             "arrays, views) before, then "
                             "resume the rollout.",
                             steps);
    steps->steps().back().mutable_action()->mutable_verify()->mutable_checks(0)->set_key_query(
        SqlText({"SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) ", uses}).str());
  }

  const v1::RemoveEnumValue proto_;
  const TableName type_, temporary_;
  const std::vector<Place> places_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRemoveEnumValue(const v1::RemoveEnumValue& proto) {
  ASSIGN_OR_RETURN(TableName type, sql::ParseTableName(proto.type()));
  if (proto.value() == proto.replacement()) {
    return absl::InvalidArgumentError("value and replacement are the same; choose another replacement");
  }
  if (proto.columns().empty()) {
    return absl::InvalidArgumentError("columns is empty; name every column of the type");
  }
  std::vector<RemoveEnumValue::Place> places;
  std::set<std::pair<TableName, std::string>> seen;
  for (const v1::ColumnName& column : proto.columns()) {
    ASSIGN_OR_RETURN(TableName table, sql::ParseTableName(column.table()));
    if (!seen.emplace(table, column.column()).second) {
      return absl::InvalidArgumentError(absl::StrCat("columns: ", sql::Ident(column.column()), " of ",
                                                     table.Quoted(), " is given twice; keep one"));
    }
    places.push_back({std::move(table), column.column()});
  }
  return std::make_unique<RemoveEnumValue>(proto, std::move(type), std::move(places));
}

}  // namespace curlew::operations
