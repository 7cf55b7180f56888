#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/carry.h"
#include "common/operations/dependents.h"
#include "common/operations/link_preflight.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"
#include "common/sql/type_name.h"

namespace curlew::operations {
namespace {

class RenameColumn : public Operation {
 public:
  RenameColumn(const v1::RenameColumn& proto, std::optional<sql::Expression> up,
               std::optional<sql::Expression> down)
      : proto_(proto),
        up_(std::move(up)),
        down_(std::move(down)),
        discard_(proto.discard().begin(), proto.discard().end()) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* from, NamedColumn(*table, proto_.from()));
    RETURN_IF_ERROR(CheckNewColumn(*table, proto_.to()));
    v1::Column to = *from;
    to.set_name(proto_.to());
    ASSIGN_OR_RETURN(std::string default_value, CarryDefault(*from, Up(*from)));
    to.set_default_(default_value);
    if (!proto_.type().empty()) {
      ASSIGN_OR_RETURN(std::string type, sql::CanonicalType(proto_.type()));
      to.set_type(type);
      to.set_collation("");
      to.set_has_equality(HasEquality(proto_.type()));
    }
    // Objects that are carried along use the new column; the others go with the old one.
    RenameInDefinitions(proto_.from(), proto_.to(), discard_, table);
    RemoveColumn(table, proto_.from());
    *table->add_columns() = std::move(to);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema& before) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* from, NamedColumn(*table, proto_.from()));
    return std::vector<AddedColumn>{{schema::NameOf(*table), proto_.to(), Up(*from)}};
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* from, NamedColumn(*table, proto_.from()));
    const bool same_type = proto_.type().empty();
    ASSIGN_OR_RETURN(std::string default_value, CarryDefault(*from, Up(*from)));
    return AppendCarry(context, *table, *from,
                       {.to = proto_.to(),
                        .name = proto_.to(),
                        .type = same_type ? from->type() : proto_.type(),
                        .collation = same_type ? from->collation() : "",
                        .has_equality = same_type ? from->has_equality() : HasEquality(proto_.type()),
                        .up = Up(*from),
                        .down = Down(*from),
                        .values = up_.has_value() && !up_->IsColumn() ? NewValues::kOther
                                  : same_type                         ? NewValues::kSame
                                                                      : NewValues::kCast,
                        .default_value = default_value,
                        .discard = discard_,
                        .way_out = absl::StrCat("add it to `discard`, and what should hold for ",
                                                sql::Ident(proto_.to()), " as an operation of its own")},
                       steps);
  }

 private:
  sql::Expression Up(const v1::Column& from) const {
    if (up_.has_value()) return *up_;
    return proto_.type().empty() ? sql::Expression::Column(proto_.from())
                                 : Cast(proto_.from(), from.type(), proto_.type());
  }
  sql::Expression Down(const v1::Column& from) const {
    if (down_.has_value()) return *down_;
    return proto_.type().empty() ? sql::Expression::Column(proto_.to())
                                 : Cast(proto_.to(), proto_.type(), from.type());
  }

  const v1::RenameColumn proto_;
  const std::optional<sql::Expression> up_, down_;
  const std::set<std::string> discard_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRenameColumn(const v1::RenameColumn& proto) {
  if (proto.from() == proto.to()) return absl::InvalidArgumentError("from and to are the same name");
  if (!proto.type().empty()) RETURN_IF_ERROR(sql::CheckType(proto.type()));
  std::optional<sql::Expression> up, down;
  if (!proto.up().empty()) {
    ASSIGN_OR_RETURN(up, sql::Expression::Parse(proto.up()));
  }
  if (!proto.down().empty()) {
    ASSIGN_OR_RETURN(down, sql::Expression::Parse(proto.down()));
  }
  return std::make_unique<RenameColumn>(proto, std::move(up), std::move(down));
}

}  // namespace curlew::operations
