#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

struct Element {
  sql::Expression value;
  v1::ExclusionElement how;
};

class AddExclusion : public Operation {
 public:
  AddExclusion(const v1::AddExclusion& proto, std::vector<Element> elements,
               std::optional<sql::Expression> where)
      : proto_(proto), elements_(std::move(elements)), where_(std::move(where)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "exclusion constraint ", sql::Ident(proto_.name()), " of ", schema::NameOf(*table).Quoted(),
          ": PostgreSQL 15 has none on partitioned tables; add it to each partition in a `sql` operation, "
          "where rows of different partitions cannot exclude each other"));
    }
    for (const std::string& column : Columns()) RETURN_IF_ERROR(NamedColumn(*table, column).status());
    v1::Constraint* constraint = table->add_constraints();
    constraint->set_name(proto_.name());
    constraint->set_type(v1::CONSTRAINT_TYPE_EXCLUSION);
    constraint->set_definition(Definition().str());
    // As the catalogue gives them: keys in order, then the others by name.
    std::set<std::string> others = Columns();
    for (const Element& element : elements_) {
      if (!element.value.IsColumn()) continue;
      const std::string& column = *element.value.columns().begin();
      if (others.erase(column) > 0) constraint->add_columns(column);
    }
    for (const std::string& column : others) constraint->add_columns(column);
    constraint->set_validated(true);
    constraint->set_table(schema::NameOf(*table).Quoted());
    v1::Index* index = table->add_indexes();
    for (const std::string& column : Columns()) index->add_columns(column);
    index->set_name(proto_.name());
    index->set_definition(
        SqlText({"CREATE INDEX ", SqlText::Name(proto_.name()), " ON ", SqlText::Name(schema::NameOf(*table)),
                 " USING ", SqlText::Name(Method()), " (", Keys(Operators::kWithout), ")", Where()})
            .str());
    index->set_valid(true);
    index->set_constraint(proto_.name());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const std::string label =
        absl::StrCat("exclusion constraint ", sql::Ident(proto_.name()), " of ", name.Quoted());
    RETURN_IF_ERROR(CheckObjectIsFree(context, name, proto_.name()));
    RETURN_IF_ERROR(CheckRelationNameIsFree(context, *table, proto_.name()));
    if (context.ExistsNow(name)) {
      if (!context.Acknowledged("blocks-writes")) {
        return absl::FailedPreconditionError(absl::StrCat(
            label,
            ": PostgreSQL can neither build its index concurrently nor take over one that is built, and "
            "blocks all reads and writes of the table while it does. A unique index (add_unique, or "
            "create_index over expressions) or a CHECK that says the same can be added online; else accept "
            "it with `settings: {acknowledge: [blocks-writes]}`"));
      }
      steps->Warn(absl::StrCat("add_exclusion: ", name.Quoted(),
                               " can neither be read nor written while the index of ",
                               sql::Ident(proto_.name()),
                               " is built, for `ddl_statement_timeout` at most; whether rows conflict "
                               "is found out only then"));
    }
    AppendIndexNamePreflight(*table, proto_.name(), steps);
    v1::Step* step =
        steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("add exclusion constraint ", sql::Ident(proto_.name()),
                                                     " to ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {{"ALTER TABLE ", SqlText::Name(name), " ADD CONSTRAINT ",
                                     SqlText::Name(proto_.name()), " ", Definition()}});
    SetSql(step->mutable_undo(), {{"ALTER TABLE ", SqlText::Name(name), " DROP CONSTRAINT IF EXISTS ",
                                   SqlText::Name(proto_.name())}});
    step->set_scans(true);
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  enum class Operators { kWith, kWithout };

  std::string Method() const { return proto_.method().empty() ? "gist" : proto_.method(); }

  std::set<std::string> Columns() const {
    std::set<std::string> columns;
    for (const Element& element : elements_) {
      columns.insert(element.value.columns().begin(), element.value.columns().end());
    }
    if (where_.has_value()) columns.insert(where_->columns().begin(), where_->columns().end());
    return columns;
  }

  SqlText Keys(Operators operators) const {
    SqlText keys;
    for (const Element& element : elements_) {
      if (!keys.empty()) keys.Append({", "});
      keys.Append({element.value.Sql()});
      if (!element.how.opclass().empty()) keys.Append({" ", SqlText::Verified(element.how.opclass())});
      if (operators == Operators::kWith) keys.Append({" WITH ", SqlText::Verified(element.how.operator_())});
    }
    return keys;
  }

  SqlText Where() const { return where_.has_value() ? SqlText{" WHERE (", where_->Sql(), ")"} : SqlText{}; }

  SqlText Definition() const {
    return {"EXCLUDE USING ", SqlText::Name(Method()),          " (", Keys(Operators::kWith), ")",
            Where(),          DeferralClause(proto_.deferral())};
  }

  const v1::AddExclusion proto_;
  const std::vector<Element> elements_;
  const std::optional<sql::Expression> where_;
};

absl::StatusOr<Element> ReadElement(const v1::ExclusionElement& proto, const std::string& path) {
  if (proto.column().empty() == proto.expression().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": give exactly one of `column` and `expression`"));
  }
  const std::string& op = proto.operator_();
  const bool is_operator = !op.empty() && op.size() <= 63 && !absl::StrContains(op, "--") &&
                           !absl::StrContains(op, "/*") &&
                           op.find_first_not_of("+-*/<>=~!@#%^&|`?") == std::string::npos;
  if (!is_operator) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ".operator: \"", op, "\" is no operator; they look like \"=\" or \"&&\""));
  }
  if (!proto.opclass().empty()) RETURN_IF_ERROR(sql::ParseTableName(proto.opclass()).status());
  if (!proto.column().empty()) return Element{sql::Expression::Column(proto.column()), proto};
  ASSIGN_OR_RETURN(sql::Expression expression, sql::Expression::Parse(proto.expression()));
  return Element{std::move(expression), proto};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddExclusion(const v1::AddExclusion& proto) {
  if (proto.elements().empty()) return absl::InvalidArgumentError("elements is empty; give at least one");
  std::vector<Element> elements;
  for (int i = 0; i < proto.elements_size(); ++i) {
    ASSIGN_OR_RETURN(Element element, ReadElement(proto.elements(i), absl::StrCat("elements[", i, "]")));
    elements.push_back(std::move(element));
  }
  std::optional<sql::Expression> where;
  if (!proto.where().empty()) {
    ASSIGN_OR_RETURN(where, sql::Expression::Parse(proto.where()));
  }
  return std::make_unique<AddExclusion>(proto, std::move(elements), std::move(where));
}

}  // namespace curlew::operations
