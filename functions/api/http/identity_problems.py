"""What the refusals of callers and of principals say."""

from http import HTTPStatus

from domain.users.identity import AddressBound, PrincipalInactive, UserDisabled
from domain.users.principal import InvalidSubject
from domain.users.principals import PrincipalNotFound, TooManyPrincipals
from domain.users.repository import PrincipalTaken

IdentityFailure = (
    UserDisabled
    | PrincipalInactive
    | AddressBound
    | InvalidSubject
    | PrincipalNotFound
    | PrincipalTaken
    | TooManyPrincipals
)


def identity_problem(failure: IdentityFailure) -> tuple[HTTPStatus, str, str]:
    """Status, code and detail of the problem document for a failure."""
    match failure:
        case UserDisabled():
            return HTTPStatus.FORBIDDEN, "user_disabled", "The user is disabled."
        case PrincipalInactive():
            return HTTPStatus.FORBIDDEN, "principal_inactive", "The principal is disabled, or has expired."
        case AddressBound():
            detail = "The user with this address signs in as another subject; an admin can remove that principal."
            return HTTPStatus.FORBIDDEN, "address_bound", detail
        case InvalidSubject(reason=reason):
            return HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_subject", f"The subject is not valid: {reason}."
        case PrincipalNotFound():
            return HTTPStatus.NOT_FOUND, "principal_not_found", "There is no such principal."
        case PrincipalTaken():
            return HTTPStatus.CONFLICT, "principal_taken", "The subject is bound already."
        case TooManyPrincipals(limit=limit):
            detail = f"The user has {limit} principals, as many as a user may have."
            return HTTPStatus.CONFLICT, "too_many_principals", detail
