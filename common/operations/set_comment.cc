#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class SetComment : public Operation {
 public:
  explicit SetComment(const v1::SetComment& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (proto_.column().empty()) {
      table->set_comment(proto_.comment());
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    column->set_comment(proto_.comment());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    std::string old = table->comment();
    bool exists = context.ExistsNow(name);
    SqlText object = {"TABLE ", SqlText::Name(name)};
    std::string label = sql::Ident(table->name());
    if (!proto_.column().empty()) {
      ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
      old = column->comment();
      exists = context.ExistsNow(name, proto_.column());
      object = {"COLUMN ", SqlText::Name(name), ".", SqlText::Name(proto_.column())};
      absl::StrAppend(&label, ".", sql::Ident(proto_.column()));
    }
    if (old == proto_.comment()) {
      steps->Warn(
          absl::StrCat("set_comment: ", label, " has that comment already; the operation does nothing"));
      return absl::OkStatus();
    }
    v1::Step* step =
        steps->Add(v1::PHASE_CONSTRAIN,
                   absl::StrCat(proto_.comment().empty() ? "remove the comment on " : "comment on ", label));
    SetSql(step->mutable_action(), {Comment(object, proto_.comment())});
    if (exists) SetSql(step->mutable_undo(), {Comment(object, old)});
    AddLock(step, name, kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  static SqlText Comment(const SqlText& object, const std::string& text) {
    return {"COMMENT ON ", object, " IS ", text.empty() ? SqlText{"NULL"} : SqlText::String(text)};
  }

  const v1::SetComment proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetComment(const v1::SetComment& proto) {
  return std::make_unique<SetComment>(proto);
}

}  // namespace curlew::operations
