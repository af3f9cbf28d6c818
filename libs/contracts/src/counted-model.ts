/** The public model that limits and budgets count: what was asked for, without a preference. */
export const countedModel = (requestedModel: string): string => requestedModel.replace(/:(cost|speed|capability)$/, '');
